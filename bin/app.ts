#!/usr/bin/env -S npx tsx
// SPDX-License-Identifier: Apache-2.0

import { App, Validations } from 'aws-cdk-lib/core';
import { AwsSolutionsChecks } from 'cdk-nag';
import { SettingsError } from '../lib/settings/read-settings.js';
import { createStack } from './create-stack.js';

const app = new App();
try {
  createStack(app, process.env);
} catch (error) {
  if (!(error instanceof SettingsError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
}
Validations.of(app).addPlugins(new AwsSolutionsChecks(app));

#!/usr/bin/env -S npx tsx
// SPDX-License-Identifier: Apache-2.0

import { App, Validations } from 'aws-cdk-lib/core';
import { AwsSolutionsChecks } from 'cdk-nag';
import { readSettings, type Settings, SettingsError } from '../lib/settings.js';
import { VoiceAgentStack } from '../lib/voice-agent-stack.js';

function settingsOrExit(app: App): Settings {
  try {
    return readSettings(app.node.getAllContext());
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  }
}

const app = new App();
const settings = settingsOrExit(app);
new VoiceAgentStack(app, settings.name, {
  settings,
  // Without an account the template fits any, and synth needs no credentials. To look up a VPC's subnets, it needs both.
  ...(settings.vpcId &&
    !settings.subnetIds && {
      env: {
        account: process.env.CDK_DEFAULT_ACCOUNT ?? '',
        region: process.env.CDK_DEFAULT_REGION ?? '',
      },
    }),
});
Validations.of(app).addPlugins(new AwsSolutionsChecks(app));

#!/usr/bin/env -S npx tsx
// SPDX-License-Identifier: Apache-2.0

import { App, type Environment, Validations } from 'aws-cdk-lib/core';
import { AwsSolutionsChecks } from 'cdk-nag';
import { readSettings, type Settings, SettingsError } from '../lib/settings/settings.js';
import { VoiceAgentStack } from '../lib/voice-agent-stack.js';

/** The account and Region of the stack; none, if nothing is to be looked up in them. */
function environment(settings: Settings): Environment | undefined {
  // A template without an account fits any, and synth needs no credentials.
  if (!settings.vpcId || settings.subnetIds) return undefined;
  const { CDK_DEFAULT_ACCOUNT: account, CDK_DEFAULT_REGION: region } = process.env;
  if (account && region) return { account, region };
  throw new SettingsError(
    '"vpcId" without "subnetIds" looks the subnets up in the account, which needs AWS credentials and a Region: give "subnetIds", or sign in.',
  );
}

const app = new App();
try {
  const settings = readSettings(app.node.getAllContext());
  const env = environment(settings);
  new VoiceAgentStack(app, settings.name, { settings, ...(env && { env }) });
} catch (error) {
  if (!(error instanceof SettingsError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
}
Validations.of(app).addPlugins(new AwsSolutionsChecks(app));

#!/usr/bin/env -S npx tsx
// SPDX-License-Identifier: Apache-2.0

import { Annotations, App, type Environment, Validations } from 'aws-cdk-lib/core';
import { AwsSolutionsChecks } from 'cdk-nag';
import { readSettings, SettingsError } from '../lib/settings/read-settings.js';
import type { Settings } from '../lib/settings/settings.js';
import { VoiceAgentStack } from '../lib/voice-agent-stack.js';

/** The account and Region of the stack; undefined when nothing is looked up in them. */
function environment(settings: Settings): Environment | undefined {
  // A template without an account works in any, and synth needs no credentials.
  if (!settings.vpcId || settings.subnetIds) return undefined;
  const { CDK_DEFAULT_ACCOUNT: account, CDK_DEFAULT_REGION: region } = process.env;
  if (account && region) return { account, region };
  throw new SettingsError(
    '"vpcId" without "subnetIds" looks the subnets up in the account, which needs AWS credentials and a Region: set "subnetIds", or sign in.',
  );
}

const app = new App();
try {
  const warnings: string[] = [];
  const settings = readSettings(app.node.getAllContext(), (warning) => warnings.push(warning));
  const env = environment(settings);
  const stack = new VoiceAgentStack(app, settings.name, { settings, ...(env && { env }) });
  for (const warning of warnings) {
    Annotations.of(stack).addWarningV2('nova-sonic-livekit:renamed-setting', warning);
  }
} catch (error) {
  if (!(error instanceof SettingsError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
}
Validations.of(app).addPlugins(new AwsSolutionsChecks(app));

// SPDX-License-Identifier: Apache-2.0

import { Annotations, type App, type Environment } from 'aws-cdk-lib/core';
import { readSettings, SettingsError } from '../lib/settings/read-settings.js';
import type { Settings } from '../lib/settings/settings.js';
import { VoiceAgentStack } from '../lib/voice-agent-stack.js';

/** What the CDK command line tells an app about its credentials. */
export interface CdkAccount {
  readonly CDK_DEFAULT_ACCOUNT?: string;
  readonly CDK_DEFAULT_REGION?: string;
}

/**
 * Adds the stack to an app, with the settings of its context.
 * @throws SettingsError with one sentence for each invalid setting
 */
export function createStack(app: App, account: CdkAccount): VoiceAgentStack {
  const warnings: string[] = [];
  const settings = readSettings(app.node.getAllContext(), (warning) => warnings.push(warning));
  const env = environment(settings, account);
  const stack = new VoiceAgentStack(app, settings.name, { settings, ...(env && { env }) });
  for (const warning of warnings) {
    Annotations.of(stack).addWarningV2('nova-sonic-livekit:renamed-setting', warning);
  }
  return stack;
}

/** The account and Region of the stack; undefined when nothing is looked up in them. */
function environment(settings: Settings, account: CdkAccount): Environment | undefined {
  // A template without an account works in any, and synth needs no credentials.
  if (!settings.vpcId || settings.subnetIds) return undefined;
  const { CDK_DEFAULT_ACCOUNT, CDK_DEFAULT_REGION } = account;
  if (CDK_DEFAULT_ACCOUNT && CDK_DEFAULT_REGION) {
    return { account: CDK_DEFAULT_ACCOUNT, region: CDK_DEFAULT_REGION };
  }
  throw new SettingsError(
    '"vpcId" without "subnetIds" looks the subnets up in the account, which needs AWS credentials and a Region: set "subnetIds", or sign in.',
  );
}

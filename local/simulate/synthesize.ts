// SPDX-License-Identifier: Apache-2.0

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App } from 'aws-cdk-lib/core';
import { readSettings } from '../../lib/settings/read-settings.js';
import { VoiceAgentStack } from '../../lib/voice-agent-stack.js';
import type { ScalingTemplate } from './scaling-policies.js';

/** The template that `cdk deploy` would deploy with the settings of cdk.json. */
export function synthesizeTemplate(): ScalingTemplate {
  const { context } = JSON.parse(
    readFileSync(new URL('../../cdk.json', import.meta.url), 'utf8'),
  ) as { context: Record<string, unknown> };
  const outdir = mkdtempSync(join(tmpdir(), 'simulate-'));
  try {
    const app = new App({
      context: { ...context, 'aws:cdk:disable-asset-staging': true },
      outdir,
      builtinCloudFormationValidation: false,
      treeMetadata: false,
    });
    const settings = readSettings(context);
    const stack = new VoiceAgentStack(app, settings.name, { settings });
    return app.synth().getStackByName(stack.stackName).template as ScalingTemplate;
  } finally {
    rmSync(outdir, { recursive: true });
  }
}

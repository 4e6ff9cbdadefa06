// SPDX-License-Identifier: Apache-2.0
// Settings and flags: each is taken or refused with a sentence that names it.

import { describe, expect, test } from '@jest/globals';
import { initializeLogger } from '@livekit/agents';
import fc from 'fast-check';
import { RealtimeModel } from 'livekit-plugin-nova-sonic';
import { ConfigError, readWorkerConfig } from '../../agent/src/config.js';
import { ENVIRONMENT_VARIABLES } from '../../agent/src/environment.js';
import { readSettings, SettingsError } from '../../lib/settings/read-settings.js';
import { SETTING_NAMES } from '../../lib/settings/settings.js';
import { createProgram } from '../../packages/nova-sonic-emulator/src/program.js';
import { fuzz } from '../support/properties.js';
import { brokenText, jsonWith, nastyText } from './inputs.js';

initializeLogger({ pretty: false, level: 'silent' });

const number = fc.oneof(fc.integer(), fc.double(), fc.bigInt()).map(String);
const value = fc.oneof(
  nastyText,
  number,
  fc.constantFrom('true', 'false', 'off', ' ', '1e3', '0x10', 'Infinity', 'NaN', '-0'),
);

test('environment variables of the worker', () => {
  const LIVEKIT = {
    LIVEKIT_URL: 'ws://127.0.0.1:7880',
    LIVEKIT_API_KEY: 'key',
    LIVEKIT_API_SECRET: 'secret',
  };
  const names = ENVIRONMENT_VARIABLES.map(({ name }) => name);
  expect(names.length).toBeGreaterThan(20);
  fuzz(fc.dictionary(fc.constantFrom(...names), value, { maxKeys: 4 }), (env) => {
    try {
      const config = readWorkerConfig({ ...LIVEKIT, ...env });
      for (const [name, one] of Object.entries(config))
        if (typeof one === 'number' && !Number.isFinite(one)) throw new Error(`${name} is ${one}`);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      if (!Object.keys(env).some((name) => error.message.includes(name)))
        throw new Error(error.message);
    }
  });
});

test('settings of the CDK app', () => {
  const json = jsonWith(['a', 'environment']);
  const setting = fc.oneof(value, json, brokenText(json));
  const name = fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(...SETTING_NAMES) },
    { weight: 1, arbitrary: nastyText },
  );
  fuzz(fc.dictionary(name, setting, { maxKeys: 4 }), (context) => {
    try {
      readSettings(context, () => {});
    } catch (error) {
      if (!(error instanceof SettingsError)) throw error;
      for (const line of error.message.split('\n'))
        if (!/"/.test(line)) throw new Error(`names no setting: ${line}`);
    }
  });
});

test('options of the plugin', () => {
  const OPTIONS = [
    'voice',
    'temperature',
    'topP',
    'maxTokens',
    'turnDetection',
    'region',
    'model',
    'renewAfterMs',
    'inputSampleRate',
    'outputSampleRate',
    'inputChunkMs',
    'toolChoice',
    'generateReplyTimeout',
    'timeouts',
    'retry',
    'history',
    'replyCue',
    'speechPrompt',
    'modalities',
  ];
  const option = fc.oneof(
    jsonWith(['maxAttempts', 'maxOutageMs', 'maxBytes', 'firstEvent']),
    fc.double(),
    nastyText,
  );
  fuzz(fc.dictionary(fc.constantFrom(...OPTIONS), option, { maxKeys: 3 }), (options) => {
    try {
      new RealtimeModel(options as never);
    } catch (error) {
      const { message } = error as Error;
      if (error instanceof TypeError || error instanceof RangeError) throw error;
      if (!Object.keys(options).some((name) => message.includes(name))) throw new Error(message);
    }
  });
});

describe('flags of the emulator', () => {
  const FLAGS = [
    '--port',
    '--latency',
    '--jitter',
    '--bandwidth',
    '--time-scale',
    '--seed',
    '--max-streams',
    '--max-connection',
    '--audio-idle',
    '--priming-audio',
    '--history-text',
    '--profile',
    '--fault',
    '--nonsense',
  ];

  test('are taken or refused with a message', () => {
    fuzz(fc.array(fc.tuple(fc.constantFrom(...FLAGS), value), { maxLength: 4 }), (pairs) => {
      const program = createProgram()
        .exitOverride()
        .action(() => {});
      program.configureOutput({ writeErr: () => {}, writeOut: () => {} });
      try {
        program.parse(pairs.flat(), { from: 'user' });
        for (const [flag, one] of Object.entries(program.opts()))
          if (typeof one === 'number' && !Number.isFinite(one))
            throw new Error(`--${flag} is ${one}`);
      } catch (error) {
        if (!(error as { code?: string }).code?.startsWith('commander.')) throw error;
      }
    });
  });
});

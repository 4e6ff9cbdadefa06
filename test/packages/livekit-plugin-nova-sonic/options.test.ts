// SPDX-License-Identifier: Apache-2.0
import { inspect } from 'node:util';
import { describe, expect, jest, test } from '@jest/globals';
import { initializeLogger } from '@livekit/agents';
import { RealtimeModel, type RealtimeModelOptions, realtime } from 'livekit-plugin-nova-sonic';
import { resolveOptions } from '../../../packages/livekit-plugin-nova-sonic/src/options.js';

initializeLogger({ pretty: false, level: 'silent' });

describe('options', () => {
  test.each<[string, unknown, RegExp]>([
    [
      'voice',
      'Tiffany',
      /^RealtimeModel option voice is "Tiffany"; voices are in lower case: tiffany\.$/,
    ],
    ['temperature', 1.5, /^RealtimeModel option temperature is 1\.5; it must be from 0 to 1\.$/],
    ['temperature', 'hot', /option temperature is "hot"; it must be a number\.$/],
    ['topP', -0.1, /option topP is -0\.1; it must be from 0 to 1\.$/],
    ['maxTokens', 0, /option maxTokens is 0; it must be from 1 to 10000\.$/],
    ['maxTokens', 10.5, /option maxTokens is 10\.5; it must be a whole number\.$/],
    ['region', [], /option region is \[\]; it must /],
    [
      'turnDetection',
      'medium',
      /option turnDetection is "medium"; it must be HIGH, MEDIUM or LOW\.$/,
    ],
    [
      'model',
      'amazon.nova-sonic-v1:0',
      /end of life \(2026-09-14\): use amazon\.nova-2-sonic-v1:0/,
    ],
    [
      'toolChoice',
      'sometimes',
      /option toolChoice is "sometimes"; it must be auto, required, none/,
    ],
    ['modalities', 'video', /option modalities is "video"; it must be audio or mixed\.$/],
    [
      'outputSampleRate',
      44_100,
      /option outputSampleRate is 44100; it must be 8000, 16000 or 24000\.$/,
    ],
    ['generateReplyTimeout', 0, /option generateReplyTimeout is 0; it must be from 1 to 600000\.$/],
    ['renewAfterMs', 500_000, /option renewAfterMs is 500000; it must be from 100 to 470000\.$/],
    ['audioBufferMs', 0, /option audioBufferMs is 0; it must be from 1000 to 120000\.$/],
    ['chatCtxUpdates', 'now', /option chatCtxUpdates is "now"; it must be next-stream or renew\.$/],
    ['speechPrompt', '', /option speechPrompt is ""; it must not be empty\.$/],
    ['renewAfter', 500, /option renewAfter is 500; it must be from 0\.1 to 470\.$/],
    ['endpoint', 'localhost', /option endpoint is "localhost"; it must be a URL/],
    [
      'history',
      { maxBytes: 10 },
      /option history\.maxBytes is 10; it must be from 1000 to 1000000\.$/,
    ],
    ['history', { limit: 10 }, /has no option history\.limit/],
    ['retry', { maxAttempts: 0 }, /option retry\.maxAttempts is 0; it must be from 1 to 1000\.$/],
    [
      'retry',
      { cooldownUntil: 5 },
      /option retry\.cooldownUntil is 5; it must be a function from a Region or lane to a time\.$/,
    ],
    ['sampleRate', 1, /^RealtimeModel has no option sampleRate; it has model, voice, region, /],
  ])('%s: %p is rejected in one sentence', (name, value, message) => {
    expect(() => new RealtimeModel({ [name]: value } as RealtimeModelOptions)).toThrow(message);
  });

  test.each<[string, Record<string, unknown>]>([
    ['credentials', { credentials: 'AKIA-SECRET' }],
    ['lanes', { lanes: { region: 'us-east-1', credentials: { secretAccessKey: 'SECRET' } } }],
    ['lanes', { lanes: [{ region: { accessKeyId: 'SECRET' } }] }],
    ['region', { region: { sessionToken: 'SECRET' } }],
  ])('credentials never show in a message, whatever they are given for: %s', (option, options) => {
    const given = () => new RealtimeModel(options as RealtimeModelOptions);
    expect(given).toThrow(option);
    expect(given).toThrow(/^((?!SECRET).)*$/);
  });

  test('defaults', () => {
    const options = resolveOptions({}, {});
    expect(options).toMatchObject({
      model: 'amazon.nova-2-sonic-v1:0',
      voice: 'tiffany',
      regions: ['us-east-1'],
      turnDetection: 'MEDIUM',
      maxTokens: 1_024,
      modalities: 'mixed',
      inputSampleRate: 16_000,
      outputSampleRate: 24_000,
      generateReplyTimeout: 10_000,
      renewAfterMs: 360_000,
      history: { maxBytes: 200_000, maxTextBytes: 50_000 },
    });
    expect(resolveOptions({}, { AWS_DEFAULT_REGION: 'eu-north-1' }).regions).toEqual([
      'eu-north-1',
    ]);
    expect(
      resolveOptions({}, { AWS_REGION: 'us-west-2', AWS_DEFAULT_REGION: 'eu-north-1' }).regions,
    ).toEqual(['us-west-2']);
    expect(resolveOptions({ region: ['us-west-2', 'us-east-1', 'us-west-2'] }, {}).regions).toEqual(
      ['us-west-2', 'us-east-1'],
    );
  });

  test('lanes have the name of their Region, or another one', () => {
    const credentials = { accessKeyId: 'a', secretAccessKey: 'b' };
    const lanes = [
      { region: 'us-east-1' },
      { region: 'us-east-1', name: 'other', credentials },
      { region: 'us-west-2' },
    ];
    const resolved = resolveOptions({ lanes }, {});
    expect(resolved.lanes).toEqual(lanes.map((lane) => ({ name: lane.region, ...lane })));
    expect(resolved.regions).toEqual(['us-east-1', 'us-west-2']);
    expect(resolveOptions({ region: 'us-west-2' }, {}).lanes).toEqual([
      { name: 'us-west-2', region: 'us-west-2' },
    ]);
    // Each is tried once, and one of them twice.
    const many = Array.from({ length: 50 }, (_, index) => ({
      region: 'us-east-1',
      name: `l${index}`,
    }));
    expect(resolveOptions({ lanes: many }, {}).retry.maxAttempts).toBe(52);
  });

  test.each([
    [{ lanes: [] }, /option lanes is \[\]; it must name at least one lane\.$/],
    [{ lanes: [{ region: 'us-east-1', role: 'x' }] }, /has no option lanes\.0\.role/],
    [
      { lanes: [{ region: 'us-east-1', credentials: 'secret' }] },
      /^RealtimeModel option lanes\.0\.credentials must be credentials or a provider of them\.$/,
    ],
    [
      { lanes: [{ region: 'us-east-1' }, { region: 'us-east-1' }] },
      /option lanes is "us-east-1"; each lane needs another name/,
    ],
    [
      { lanes: [{ region: 'us-east-1' }], region: 'us-east-1' },
      /option region is "us-east-1"; it cannot be set with lanes/,
    ],
  ])('%j is refused in one sentence', (options, sentence) => {
    expect(() => resolveOptions(options as RealtimeModelOptions, {})).toThrow(sentence);
  });

  test.each([
    [
      'model',
      { model: 'gpt-4', region: ['us-east-1'] },
      /model is "gpt-4".*it knows amazon\.nova-2-sonic-v1:0/,
    ],
    [
      'voice',
      { voice: 'greta', region: ['us-east-1'] },
      /voice is "greta".*amazon\.nova-2-sonic-v1:0 has tiffany/,
    ],
    ['Region', { region: ['us-east-1', 'mars-1'] }, /region is "mars-1".*served in us-east-1/],
    [
      'Region of the environment',
      {},
      /region \(from AWS_REGION or AWS_DEFAULT_REGION\) is "eu-west-1"/,
    ],
  ])('an unknown %s is used with one warning, which force silences', (_, options, message) => {
    const warning = jest.spyOn(process, 'emitWarning').mockImplementation(() => {});
    try {
      const env = { AWS_REGION: 'eu-west-1' };
      const resolved = resolveOptions(options, env);
      resolveOptions(options, env);
      expect(warning.mock.calls.map(([text]) => text)).toEqual([expect.stringMatching(message)]);
      expect(resolved).toMatchObject('region' in options ? { regions: options.region } : options);
      warning.mockClear();
      resolveOptions({ ...options, force: true }, env);
      expect(warning).not.toHaveBeenCalled();
    } finally {
      warning.mockRestore();
    }
  });

  test('neither JSON nor util.inspect prints credentials', () => {
    const credentials = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'very-secret' };
    const client = { send: () => {}, config: { credentials } };
    const region = 'us-east-1';
    const lanes = [{ name: 'second', region, credentials }];
    for (const options of [
      { credentials, region },
      { client: client as never, region },
      { lanes },
    ]) {
      const model = new RealtimeModel(options);
      const printed = JSON.stringify(model) + inspect(model, { depth: 12 });
      expect(printed).toContain('us-east-1');
      expect(printed).not.toContain('very-secret');
      const session = model.session();
      expect(inspect(session, { depth: 12 })).not.toContain('very-secret');
    }
    const { options } = new RealtimeModel({ credentials, lanes });
    expect(options.credentials).toBe(credentials);
    expect(options.lanes[0]?.credentials).toBe(credentials);
    expect(lanes[0]).toEqual({ name: 'second', region, credentials });
  });

  test('force accepts what this version does not know; profiles and ARNs need no force', () => {
    expect(new RealtimeModel({ model: 'us.amazon.nova-2-sonic-v1:0' }).model).toBe(
      'us.amazon.nova-2-sonic-v1:0',
    );
    const arn = 'arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/x';
    expect(new RealtimeModel({ model: arn }).model).toBe(arn);
    const model = new RealtimeModel({
      model: 'amazon.nova-9-sonic',
      voice: 'zoe',
      region: 'mars-1',
      force: true,
    });
    expect(model.options).toMatchObject({
      model: 'amazon.nova-9-sonic',
      voice: 'zoe',
      regions: ['mars-1'],
    });
  });

  test('earlier names are accepted, with one warning each', () => {
    const emitWarning = jest.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const cooldownUntil = () => undefined;
    const earlier: RealtimeModelOptions = {
      renewAfter: 120,
      carryOver: 7.5,
      contextEdits: 'renew',
      retry: { restsUntil: cooldownUntil, budget: 3 },
    };
    const expected = {
      renewAfterMs: 120_000,
      audioBufferMs: 7_500,
      chatCtxUpdates: 'renew',
      retry: { cooldownUntil, budget: 3, maxAttempts: 8 },
    };
    expect(resolveOptions(earlier, {})).toMatchObject(expected);
    expect(resolveOptions(earlier, {})).toMatchObject(expected);
    expect(emitWarning.mock.calls.map(([message]) => message)).toEqual([
      'RealtimeModel option renewAfter (seconds) is deprecated: use renewAfterMs.',
      'RealtimeModel option carryOver (seconds) is deprecated: use audioBufferMs.',
      'RealtimeModel option contextEdits is deprecated: use chatCtxUpdates.',
      'RealtimeModel option retry.restsUntil is deprecated: use retry.cooldownUntil.',
    ]);
    expect(resolveOptions({ renewAfter: 120, renewAfterMs: 90_000 }, {}).renewAfterMs).toBe(90_000);
    emitWarning.mockRestore();
  });

  test('factories, names and capabilities', () => {
    expect(RealtimeModel.withNovaSonic2({ voice: 'amy' }).model).toBe('amazon.nova-2-sonic-v1:0');
    expect(RealtimeModel.withNovaSonic25().model).toBe('amazon.nova-2-5-sonic');
    const first = RealtimeModel.withNovaSonic1({ voice: 'greta', force: true });
    expect([first.model, first.modalities]).toEqual(['amazon.nova-sonic-v1:0', 'audio']);
    expect(() => RealtimeModel.withNovaSonic1()).toThrow(/end of life/);
    const model = new realtime.RealtimeModel();
    expect([model.provider, model.label(), model.modalities]).toEqual([
      'Amazon',
      'nova-sonic.RealtimeModel',
      'mixed',
    ]);
    expect(model.capabilities).toMatchObject({
      turnDetection: true,
      userTranscription: true,
      autoToolReplyGeneration: true,
      messageTruncation: false,
      midSessionToolsUpdate: false,
    });
  });
});

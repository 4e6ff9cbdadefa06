// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type {
  BedrockRuntimeClient,
  InvokeModelWithBidirectionalStreamCommand,
} from '@aws-sdk/client-bedrock-runtime';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { RealClock, scaledClock } from '../../../../packages/nova-sonic-emulator/src/clock.js';
import {
  compareEndpoints,
  differences,
} from '../../../../packages/nova-sonic-emulator/src/compare/compare.js';
import { CONVERSATIONS } from '../../../../packages/nova-sonic-emulator/src/compare/conversations.js';
import { summary } from '../../../../packages/nova-sonic-emulator/src/compare/observe.js';
import {
  NOVA_2_5,
  PROFILES,
  type Profile,
} from '../../../../packages/nova-sonic-emulator/src/dialogue/profile.js';
import {
  type Emulator,
  type EmulatorOptions,
  startEmulator,
} from '../../../../packages/nova-sonic-emulator/src/index.js';
import {
  type RecordingProxy,
  startRecordingProxy,
} from '../../../../packages/nova-sonic-emulator/src/record/recording-proxy.js';
import { validateRecording } from '../../../../packages/nova-sonic-emulator/src/validate.js';
import { freePort } from '../../../support/free-port.js';
import { DialogueHarness } from '../dialogue/dialogue-harness.js';
import { sdkClient, TestClient } from '../support/client.js';
import { RawClient } from '../support/raw-client.js';
import { toneSpeech } from '../support/tone-speech.js';

const REGION = 'us-east-1';
const OPTIONS = { modelId: 'amazon.nova-2-sonic-v1:0', patienceMs: 60_000, pace: 20 };
/** Replies play so slowly that the slowest machine interrupts them in time. */
const SLOWNESS = 20;
const slowClock = () => scaledClock(new RealClock(), 1 / SLOWNESS);

const running: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of running.splice(0)) await one.close();
});
async function emulator(options: EmulatorOptions = {}): Promise<Emulator> {
  const started = await startEmulator({
    profile: 'fast',
    clock: slowClock(),
    textToSpeech: toneSpeech,
    scenario: {
      turns: [
        { user: 'Said', repeat: true, reply: 'Heard.' },
        { on: 'text', match: 'time', tools: [{ name: 'clock' }], reply: 'Nine.' },
        { on: 'text', repeat: true, reply: 'One, two, three, four, five, six, seven, eight.' },
      ],
    },
    ...options,
  });
  running.push(started);
  return started;
}
const endpoint = ({ url, credentials }: Emulator) => ({ url, credentials, region: REGION });
const named = (...names: string[]) => CONVERSATIONS.filter(({ name }) => names.includes(name));

describe('compare', () => {
  it('finds nothing between the emulator and itself', async () => {
    const one = endpoint(await emulator());
    const { observations, differences } = await compareEndpoints(one, one, OPTIONS);
    expect(differences.filter(({ what }) => what !== 'timing')).toEqual([]);
    expect(observations).toHaveLength(CONVERSATIONS.length);
    const speech = observations.find(({ left }) => left.conversation === 'speech')?.left;
    expect(speech?.order).toEqual([
      'userSpeechStart',
      'completionStart',
      'userSpeechEnd',
      'contentStart TEXT USER FINAL',
      'contentEnd TEXT PARTIAL_TURN',
      'contentStart TEXT ASSISTANT SPECULATIVE',
      'contentStart AUDIO ASSISTANT',
      'contentEnd AUDIO END_TURN',
      ...(speech?.order.slice(8) ?? []),
    ]);
    const bargeIn = observations.find(({ left }) => left.conversation === 'barge-in')?.left;
    expect(bargeIn?.order).toContain('contentEnd TEXT INTERRUPTED');
    // Nothing of what was said, no ids.
    expect(JSON.stringify(observations)).not.toMatch(/Heard|Nine|[0-9a-f]{8}-[0-9a-f]{4}-/);
  }, 300_000);

  it.each<[string, Partial<Profile>, string[]]>([
    ['nothing', {}, []],
    ['the typed question', { thinkTyped: 3000 }, ['first event to first audio']],
    [
      'the audio',
      { textToAudio: 900 },
      ['userSpeechEnd to first audio', 'first SPECULATIVE text to first audio'],
    ],
    ['Nova 2.5', NOVA_2_5, ['silence until the end of speech was found']],
  ])('finds exactly what differs between two profiles: %s', async (_, changed, expected) => {
    const heldWith = async (profile: Profile) => {
      const turns = [
        { user: 'Said', reply: 'Heard.' },
        { on: 'text' as const, reply: 'Typed.' },
      ];
      const spoken = new DialogueHarness(turns, { profile });
      await spoken.speak(profile.pause.MEDIUM);
      await spoken.clock.pass(15_000);
      const typed = new DialogueHarness(turns.slice(1), { profile });
      typed.dialogue.typedText('Hello');
      await typed.clock.pass(15_000);
      return {
        speech: summary('speech', spoken.sent, {}),
        'typed text': summary('typed text', typed.sent, {}),
      };
    };
    const left = await heldWith(PROFILES.capture);
    const right = await heldWith({ ...PROFILES.capture, ...changed });
    const found = (['speech', 'typed text'] as const).flatMap((name) =>
      differences({ name }, left[name], right[name]),
    );
    expect(found.every(({ what }) => what === 'timing')).toBe(true);
    expect([...new Set(found.map(({ subject }) => subject))]).toEqual(expected);
  });

  it('measures the times of a stream', async () => {
    const thinkTyped = 40;
    const one = endpoint(await emulator({ timings: { thinkTyped } }));
    const { observations } = await compareEndpoints(one, one, OPTIONS, named('typed text'));
    const timing = observations[0]?.left.timing ?? {};
    const untilAudio = (timing['first event'] ?? 0) + (timing['first event to first audio'] ?? 0);
    // At least as long as the emulator thinks, on its slow clock and in whole milliseconds; the rest is the machine's.
    expect(untilAudio).toBeGreaterThanOrEqual(thinkTyped * SLOWNESS - 2);
  });

  it('finds the rule that a server breaks', async () => {
    const left = endpoint(await emulator());
    const right = endpoint(await emulator({ rules: { objectSchemas: true } }));
    const probes = CONVERSATIONS.filter(({ rule }) => rule);
    const found = await compareEndpoints(left, right, OPTIONS, probes);
    expect(found.differences).toEqual([
      {
        conversation: 'rule schema-string',
        what: 'rule',
        subject: 'schema-string',
        left: expect.stringMatching(/^ValidationException: Unable to parse input chunk/),
        right: 'accepted',
      },
    ]);
  });

  it.each<[string, object, string[]]>([
    ['order', { order: ['a', 'b'] }, ['order events']],
    ['fields', { fields: { usageEvent: ['more'] } }, ['fields usageEvent']],
    ['an error, and nothing after it', { error: 'E: no', order: [] }, ['error end']],
    ['a longer time', { timing: { first: 1000 } }, ['timing first']],
    ['a time that a busy machine takes', { timing: { first: 400 } }, []],
  ])('tells %s', (_, change, expected) => {
    const observation = {
      conversation: 'speech',
      order: ['a'],
      fields: { usageEvent: ['x'] },
      timing: { first: 100 },
    };
    const found = differences({ name: 'speech' }, observation, { ...observation, ...change });
    expect(found.map(({ what, subject }) => `${what} ${subject}`)).toEqual(expected);
  });

  it.each<[string, () => Promise<{ url: string; right?: object }>, RegExp]>([
    [
      'nothing listens',
      async () => ({ url: `http://127.0.0.1:${await freePort()}` }),
      /^Nothing answers at http:\S+ \(ECONNREFUSED\): check the address/,
    ],
    [
      'its certificate is not trusted',
      async () => ({ url: (await emulator()).tlsUrl }),
      /^The certificate of https:\S+ is not trusted \(\w+\): set NODE_EXTRA_CA_CERTS/,
    ],
    [
      'there are no credentials',
      async () => ({
        url: (await emulator()).url,
        right: {
          credentials: async () => {
            throw Object.assign(new Error('none'), { name: 'CredentialsProviderError' });
          },
        },
      }),
      /^There are no AWS credentials for http:\S+: set AWS_PROFILE, or AWS_ACCESS_KEY_ID/,
    ],
  ])('stops with one sentence when an endpoint cannot be asked: %s', async (_, other, says) => {
    const { url, credentials } = await emulator();
    const left = { url, credentials, region: REGION };
    const { right, ...endpoint } = await other();
    await expect(
      compareEndpoints(left, { ...left, ...endpoint, ...right }, OPTIONS, CONVERSATIONS),
    ).rejects.toThrow(says);
  });

  it('tells of a rule only whether it is refused', () => {
    const observation = { conversation: 'rule voice', order: [], fields: {}, timing: { first: 1 } };
    const slower = { ...observation, timing: { first: 9000 } };
    expect(differences({ name: 'rule voice', rule: 'voice' }, observation, slower)).toEqual([]);
  });
});

describe('record', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'record-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  async function proxyTo(
    target: Emulator,
    options = {},
  ): Promise<RecordingProxy & { file: string }> {
    const file = join(folder, `${Math.random()}.jsonl`);
    const proxy = await startRecordingProxy({ target: endpoint(target), record: file, ...options });
    running.unshift(proxy);
    return Object.assign(proxy, { file });
  }
  const anybody = { accessKeyId: 'any', secretAccessKey: 'body' };

  it('hands a whole conversation on, signed anew, and writes a recording that validates', async () => {
    const target = await emulator();
    const proxy = await proxyTo(target);
    const client = new TestClient(sdkClient({ url: proxy.url, credentials: anybody }));
    client.start({ tools: ['clock'] });
    client.openAudio();
    client.text('USER', 'What time is it?', true);
    const call = await client.output(({ name }) => name === 'toolUse');
    client.toolResult(call.body.toolUseId, '{"time":"nine"}');
    await client.output(({ body }) => body.type === 'AUDIO' && body.stopReason === 'END_TURN');
    client.close();
    expect(await client.ended).toBeUndefined();
    expect(client.outputs.at(-1)?.name).toBe('completionEnd');
    expect(target.events.seen('violation')).toEqual([]);
    await proxy.close();

    const text = readFileSync(proxy.file, 'utf8');
    expect(text).not.toMatch(/What time is it|Nine/);
    expect(text).toContain('"content":"<16 characters>"');
    const lines = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(new Set(lines.map(({ direction }) => direction))).toEqual(
      new Set(['in', 'out', 'note']),
    );
    const { sessions, events, findings } = await validateRecording(proxy.file);
    expect(findings).toEqual([]);
    expect(sessions).toBe(1);
    expect(events).toBeGreaterThan(15);
  });

  it('takes a conversation over TLS, with the certificate of its file', async () => {
    const target = await emulator();
    const certFile = join(folder, 'tls.pem');
    const proxy = await proxyTo(target, { certFile });
    const ca = readFileSync(certFile, 'utf8');
    const raw = new RawClient({ url: proxy.tlsUrl, credentials: anybody, ca });
    const overTls = {
      send: async ({ input }: InvokeModelWithBidirectionalStreamCommand) => {
        for await (const { chunk } of input.body ?? []) {
          const { event } = JSON.parse(Buffer.from(chunk?.bytes ?? []).toString());
          for (const [name, body] of Object.entries(event)) raw.send(name, body as object);
        }
        raw.end();
        await raw.response;
        return {};
      },
    };
    const client = new TestClient(overTls as unknown as BedrockRuntimeClient);
    client.start();
    client.openAudio();
    client.text('USER', 'Count to eight.', true);
    await proxy.events.next(
      ({ direction, event }) =>
        direction === 'out' && event.type === 'AUDIO' && event.stopReason === 'END_TURN',
    );
    client.close();
    const { status, messages } = await raw.response;
    expect(status).toBe(200);
    expect(messages.length).toBeGreaterThan(5);
    expect(target.events.seen('violation')).toEqual([]);
  });

  it('hands errors on: in the stream and before it', async () => {
    const target = await emulator();
    const proxy = await proxyTo(target);
    const talk = () => {
      const client = new TestClient(sdkClient({ url: proxy.url, credentials: anybody }));
      client.start();
      client.openAudio();
      return client.ended;
    };
    target.setFault({ kind: 'throttle' });
    const throttled = await talk();
    expect(throttled).toMatchObject({
      name: 'ThrottlingException',
      $metadata: { httpStatusCode: 429 },
    });
    target.setFault({ kind: 'exception', type: 'modelTimeoutException', after: 'usageEvent' });
    expect(await talk()).toMatchObject({ name: 'ModelTimeoutException' });
  });

  it('leaves nothing running, and the certificate of the other one alone, when a port is in use', async () => {
    const certFile = join(folder, 'proxy.pem');
    const first = await proxyTo(await emulator(), { certFile });
    const certificate = readFileSync(certFile, 'utf8');
    const port = await freePort();
    const tlsPort = Number(new URL(first.tlsUrl).port);
    await expect(proxyTo(await emulator(), { certFile, port, tlsPort })).rejects.toThrow(
      /EADDRINUSE/,
    );
    expect(readFileSync(certFile, 'utf8')).toBe(certificate);
    // Its other port is free again.
    await proxyTo(await emulator(), { port });
  });

  it('keeps texts when it is asked to', async () => {
    const proxy = await proxyTo(await emulator(), { recordText: true });
    const client = new TestClient(sdkClient({ url: proxy.url, credentials: anybody }));
    client.start();
    client.openAudio();
    client.close();
    await client.ended;
    await proxy.close();
    expect(readFileSync(proxy.file, 'utf8')).toContain('Be brief.');
  });
});

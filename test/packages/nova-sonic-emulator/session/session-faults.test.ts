// SPDX-License-Identifier: Apache-2.0
// Long because it is one list: every kind of fault, as the real SDK shows it.
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { FAULT_KINDS } from '../../../../packages/nova-sonic-emulator/src/faults.js';
import {
  type Emulator,
  type Fault,
  startEmulator,
} from '../../../../packages/nova-sonic-emulator/src/index.js';
import { ManualClock, settle } from '../../../support/manual-clock.js';
import { until } from '../../../support/wait.js';
import { sdkClient, speechSamples, TestClient } from '../support/client.js';
import { toneSpeech } from '../support/tone-speech.js';

/** Each fault, once, with the real SDK: what it then shows is in README.md. */
let emulator: Emulator;
let speech: Int16Array;
beforeAll(async () => {
  speech = await speechSamples('Stop it, please.');
  emulator = await startEmulator({
    profile: 'fast',
    textToSpeech: toneSpeech,
    limits: { concurrentStreams: 1000 },
    scenario: {
      turns: [
        { on: 'text', match: 'clock', repeat: true, tools: [{ name: 'clock' }], reply: 'So.' },
        { on: 'text', repeat: true, reply: 'One. Two. Three.' },
      ],
    },
  });
});
afterAll(() => emulator.close());
afterEach(async () => {
  emulator.clearFaults();
  // A client that failed leaves its stream open: it must not receive the next test's fault.
  for (const { id } of emulator.sessions()) {
    const closed = emulator.until(({ session, name }) => session === id && name === 'gone');
    emulator.endSession(id);
    await closed;
  }
});

const tested = new Set<string>();
function setFault(on: Emulator, ...what: Parameters<Emulator['setFault']>): void {
  on.setFault(...what);
  tested.add(what[0].kind);
}

/** A session that asks for a spoken reply. */
function talk(): TestClient {
  const client = new TestClient(sdkClient(emulator));
  client.start();
  client.openAudio();
  client.text('USER', 'Speak.', true);
  return client;
}

/** An emulator whose time the test makes, and a session that asks it for a reply. */
async function onManualClock(fault: Fault) {
  const clock = new ManualClock();
  const slow = await startEmulator({ profile: 'fast', textToSpeech: toneSpeech, clock });
  setFault(slow, fault);
  const client = new TestClient(sdkClient(slow));
  client.start();
  const struck = slow.next('fault');
  client.openAudio();
  client.text('USER', 'Speak.', true);
  const { session } = await struck;
  const seen = (name: string) => slow.events.seen({ session, name });
  /** Lets time pass until something is the case; a slow machine only makes it later. */
  const passUntil = async (holds: () => boolean) => {
    while (!holds()) await clock.pass(10);
  };
  return {
    clock,
    client,
    seen,
    passUntil,
    /** Everything that the client has sent has been read. */
    allRead: () => until('the text is read', () => seen('contentEnd').length === 2),
    async end() {
      client.endInput();
      await slow.close();
      await client.ended;
    },
  };
}

/** With a fault set, what the SDK's caller sees. */
async function struck(fault: Fault) {
  setFault(emulator, fault);
  const client = talk();
  const error = await client.ended;
  return { client, error };
}

const isEnd = ({ name, body }: { name: string; body: { stopReason?: string } }) =>
  name === 'contentEnd' && body.stopReason === 'END_TURN';

/** Closes a healthy session and expects a normal end. */
async function closesNormally(client: TestClient): Promise<void> {
  client.close();
  expect(await client.ended).toBeUndefined();
  expect(client.outputs.at(-1)?.name).toBe('completionEnd');
}

describe('before the stream', () => {
  it.each([
    ['throttle', {}, 429, 'ThrottlingException', /^Too many requests/],
    ['access-denied', {}, 403, 'AccessDeniedException', /access to the model/],
    ['model-not-ready', {}, 429, 'ModelNotReadyException', /not ready/],
    [
      'http',
      { status: 503, type: 'ServiceUnavailableException', message: 'busy' },
      503,
      'ServiceUnavailableException',
      /^busy$/,
    ],
  ])('%s: the SDK throws the class, with the status', async (kind, more, status, name, message) => {
    const { client, error } = await struck({ kind, ...more } as Fault);
    expect(error?.name).toBe(name);
    expect(error?.message).toMatch(message);
    // biome-ignore lint/suspicious/noExplicitAny: the SDK's metadata
    expect((error as any).$metadata.httpStatusCode).toBe(status);
    expect(client.outputs).toEqual([]);
    // It strikes once: the next request goes through.
    const next = talk();
    await next.output(isEnd);
    await closesNormally(next);
  });

  it('late-headers: send() waits, then everything arrives', async () => {
    const { client, clock, seen, passUntil, allRead, end } = await onManualClock({
      kind: 'late-headers',
      delayMs: 400,
    });
    await allRead();
    await clock.pass(399);
    expect(seen('headers')).toEqual([]);
    expect(client.outputs).toEqual([]);
    await clock.pass(1);
    expect(seen('headers')).toHaveLength(1);
    await passUntil(() => client.outputs.some(isEnd));
    await end();
  });
});

describe('exceptions in the stream', () => {
  it.each([
    ['internalServerException', 'InternalServerException', /unexpected error/],
    ['modelStreamErrorException', 'ModelStreamErrorException', /timed out/],
    ['validationException', 'ValidationException', /System instability detected/],
    ['throttlingException', 'ThrottlingException', /Too many requests/],
    ['modelTimeoutException', 'ModelTimeoutException', /timed out in processing/],
    ['serviceUnavailableException', 'ServiceUnavailableException', /unable to process/],
  ])('%s after the third audioOutput', async (type, name, message) => {
    const { client, error } = await struck({ kind: 'exception', type, after: 'audioOutput#3' });
    expect(error?.name).toBe(name);
    expect(error?.message).toMatch(/^RequestId=[0-9a-f-]{36} : /);
    expect(error?.message).toMatch(message);
    // biome-ignore lint/suspicious/noExplicitAny: the SDK leaves it out of exceptions in the stream
    expect((error as any).$metadata).toBeUndefined();
    expect(client.outputs.filter(({ name }) => name === 'audioOutput')).toHaveLength(3);
  });

  it('as the first answer: send() itself rejects', async () => {
    const { client, error } = await struck({ kind: 'exception', after: 'in:sessionStart' });
    expect(error?.name).toBe('InternalServerException');
    expect(client.outputs).toEqual([]);
  });

  it('of an unknown type: a plain Error with that name', async () => {
    const { error } = await struck({
      kind: 'exception',
      type: 'brandNewException',
      message: 'new',
      after: 'usageEvent',
    });
    expect(error?.name).toBe('brandNewException');
    expect(error?.message).toContain('new');
  });

  it('after the nth output event', async () => {
    const { client } = await struck({ kind: 'exception', after: 2 });
    expect(client.outputs).toHaveLength(2);
  });
});

describe('broken connections', () => {
  it('reset: the iterator throws ERR_HTTP2_STREAM_ERROR', async () => {
    const { client, error } = await struck({ kind: 'reset', after: 'audioOutput' });
    expect((error as NodeJS.ErrnoException).code).toBe('ERR_HTTP2_STREAM_ERROR');
    expect(client.outputs.length).toBeGreaterThan(0);
  });

  it('kill: the iterator ends normally', async () => {
    const { client, error } = await struck({ kind: 'kill', after: 'audioOutput' });
    expect(error).toBeUndefined();
    expect(client.names()).not.toContain('completionEnd');
  });

  it('goaway: the stream continues', async () => {
    setFault(emulator, { kind: 'goaway', after: 'usageEvent' });
    const client = talk();
    await client.output(isEnd);
    expect(emulator.faults()).toEqual([]);
    await closesNormally(client);
  });

  it('silent: nothing arrives, not even headers; send() does not settle', async () => {
    const { client, clock, seen, allRead, end } = await onManualClock({ kind: 'silent' });
    let ended = false;
    void client.ended.then(() => {
      ended = true;
    });
    await allRead();
    await clock.pass(50_000);
    expect(ended).toBe(false);
    expect(seen('headers')).toEqual([]);
    await end();
  });

  it('silent after an event: nothing follows that event', async () => {
    const clock = new ManualClock();
    const slow = await startEmulator({ profile: 'fast', textToSpeech: toneSpeech, clock });
    setFault(slow, { kind: 'silent', after: 'audioOutput' });
    const client = new TestClient(sdkClient(slow));
    client.start();
    client.openAudio();
    client.text('USER', 'Speak.', true);
    while (slow.faults().length > 0) await clock.pass(10);
    await client.output(({ name }) => name === 'audioOutput');
    // The rest of the reply would have been sent by now.
    await clock.pass(20_000);
    await settle();
    expect(client.outputs.at(-1)?.name).toBe('audioOutput');
    expect(client.outputs.filter(({ name }) => name === 'audioOutput')).toHaveLength(1);
    client.endInput();
    await slow.close();
  });

  it('stall: nothing comes for so long, then the stream continues', async () => {
    const { client, clock, passUntil, end } = await onManualClock({
      kind: 'stall',
      durationMs: 60_000,
      after: 'in:promptStart',
    });
    await clock.pass(59_999);
    expect(client.outputs).toEqual([]);
    await passUntil(() => client.outputs.some(isEnd));
    expect(clock.now()).toBeGreaterThanOrEqual(60_000);
    await end();
  });

  it('slow-reader: the client’s writes back up', async () => {
    const { client, clock, seen, passUntil, end } = await onManualClock({
      kind: 'slow-reader',
      bytesPerSecond: 20_000,
    });
    const before = seen('audioInput').length;
    // A second of audio is about 69 kB on the wire: more than three seconds at this pace.
    client.silence(1024);
    await passUntil(() => seen('audioInput').length >= before + 32);
    expect(clock.now()).toBeGreaterThan(3_000);
    await end();
  });
});

describe('unusual events', () => {
  it.each([
    ['json', /JSON|Unexpected|Unterminated/i],
    ['checksum', /checksum/i],
  ])('malformed (%s): the reader fails', async (form, message) => {
    const { error } = await struck({ kind: 'malformed', form, after: 'audioOutput' } as Fault);
    expect(error?.message).toMatch(message);
  });

  it('malformed (empty): an event without a name arrives', async () => {
    const { error } = await struck({ kind: 'malformed', form: 'empty', after: 'usageEvent' });
    // The SDK passes it on; it is the test's own parser that fails.
    expect(error).toBeInstanceOf(TypeError);
  });

  it('unknown-event: arrives beside the others', async () => {
    setFault(emulator, { kind: 'unknown-event', after: 'completionStart' });
    const client = talk();
    await client.output(isEnd);
    expect(client.names()).toContain('completionStart somethingNew contentStart');
    await closesNormally(client);
  });

  it('duplicate: every event of the name is sent twice, for that session', async () => {
    setFault(emulator, { kind: 'duplicate', event: 'textOutput' });
    const client = talk();
    await client.output(isEnd);
    const texts = client.outputs.filter(({ name }) => name === 'textOutput');
    expect(texts.map(({ body }) => body.content)).toEqual([
      'One.',
      'One.',
      'Two.',
      'Two.',
      'Three.',
      'Three.',
    ]);
    await closesNormally(client);
  });

  it('text-before-speech-end: the USER text comes first', async () => {
    const order = async () => {
      const client = new TestClient(sdkClient(emulator));
      client.start();
      client.openAudio();
      client.audio(speech);
      client.silence(1000);
      const text = await client.output(({ body }) => body.role === 'USER' && body.content);
      const end = await client.output(({ name }) => name === 'userSpeechEnd');
      await client.output(isEnd);
      await closesNormally(client);
      return client.outputs.indexOf(text) - client.outputs.indexOf(end);
    };
    expect(await order()).toBeGreaterThan(0);
    setFault(emulator, { kind: 'text-before-speech-end' });
    expect(await order()).toBeLessThan(0);
  });

  it('bare-barge-in: userSpeechStart is the only sign of it', async () => {
    const interrupted = async () => {
      const client = talk();
      await client.output(isEnd);
      const bargeIn = emulator.next('bargeIn');
      client.audio(speech);
      await bargeIn;
      const start = await client.output(({ name }) => name === 'userSpeechStart');
      client.silence(1000);
      const end = await client.output(({ name }) => name === 'userSpeechEnd');
      const [from, to] = [client.outputs.indexOf(start), client.outputs.indexOf(end)];
      return client.outputs.slice(from, to).some(({ body }) => body.stopReason === 'INTERRUPTED');
    };
    expect(await interrupted()).toBe(true);
    setFault(emulator, { kind: 'bare-barge-in' });
    expect(await interrupted()).toBe(false);
  });

  it('no-final-text: FINAL texts are never sent', async () => {
    setFault(emulator, { kind: 'no-final-text' });
    const client = talk();
    await client.output(isEnd);
    client.text('USER', 'Speak again.', true);
    await client.output(isEnd, client.outputs.length);
    expect(
      client.outputs.filter(({ body }) => body.additionalModelFields?.includes('FINAL')),
    ).toHaveLength(1);
    await closesNormally(client);
  });
});

describe('what others have seen at times', () => {
  it('false-speech: a pair of speech events without a transcript, which interrupts', async () => {
    const client = talk();
    await client.output(isEnd);
    setFault(emulator, { kind: 'false-speech', durationMs: 10 });
    const from = client.outputs.length;
    client.silence(64);
    await client.output(({ name }) => name === 'userSpeechEnd', from);
    const names = client.outputs.slice(from).map(({ name }) => name);
    expect(names).toContain('userSpeechStart');
    expect(client.outputs.slice(from).some(({ body }) => body.role === 'USER')).toBe(false);
    await closesNormally(client);
  });

  it('content-filter: the stream ends with the text of the filters', async () => {
    const { error } = await struck({ kind: 'content-filter', after: 'usageEvent' });
    expect(error?.name).toBe('ValidationException');
    expect(error?.message).toMatch(/ : This request has been blocked by our content filters\.$/);
  });

  it('deaf-during-tool: audio before the result of a tool ends the stream', async () => {
    setFault(emulator, { kind: 'deaf-during-tool' });
    const client = new TestClient(sdkClient(emulator));
    client.start({ tools: ['clock'] });
    client.openAudio();
    client.text('USER', 'Use the clock.', true);
    await client.output(({ name }) => name === 'toolUse');
    client.silence(64);
    expect((await client.ended)?.message).toMatch(
      / : Invalid input request, please fix your input/,
    );
  });

  it.each(['empty-user-text', 'typed-text-ignored'] as const)(
    '%s is told in the log',
    async (kind) => {
      const noted = emulator.next('fault');
      setFault(emulator, { kind });
      const client = talk();
      expect((await noted).event).toEqual({ kind });
      client.close();
      expect(await client.ended).toBeUndefined();
    },
  );
});

describe('while running', () => {
  it.each([0, 1])(
    'strikes a live session, and only the one that is named: number %i',
    async (named) => {
      const clients = [talk()];
      await clients[0]?.output(isEnd);
      clients.push(talk());
      await clients[1]?.output(isEnd);
      const sessions = emulator.sessions();
      const [victim, other] = [clients[named], clients[1 - named]] as [TestClient, TestClient];
      setFault(emulator, { kind: 'exception', session: sessions[named]?.id });
      // The other one goes on, and is not struck although it comes first.
      const received = emulator.next({ session: sessions[1 - named]?.id, name: 'audioInput' });
      other.silence(32);
      await received;
      const from = other.outputs.length;
      other.text('USER', 'Go on.', true);
      await other.output(isEnd, from);
      expect(emulator.faults()).toHaveLength(1);
      victim.silence(32);
      expect((await victim.ended)?.name).toBe('InternalServerException');
      await closesNormally(other);
    },
  );

  it('strikes as often as it says', async () => {
    setFault(emulator, { kind: 'throttle', times: 2 });
    expect((await talk().ended)?.name).toBe('ThrottlingException');
    expect(emulator.faults()).toMatchObject([{ left: 1 }]);
    expect((await talk().ended)?.name).toBe('ThrottlingException');
    const third = talk();
    await third.output(isEnd);
    await closesNormally(third);
  });

  it('is logged as a note', async () => {
    const noted = emulator.next('fault');
    await struck({ kind: 'reset', after: 'usageEvent', code: 8 });
    expect((await noted).event).toEqual({ kind: 'reset', after: 'usageEvent', code: 8 });
  });
});

it('every kind is tested here', () => {
  expect([...tested].sort()).toEqual([...FAULT_KINDS].sort());
});

// SPDX-License-Identifier: Apache-2.0
import {
  type Emulator,
  type EmulatorEvent,
  startEmulator,
} from '../../../packages/nova-sonic-emulator/src/index.js';
import { createSileroVad } from '../../../packages/nova-sonic-emulator/src/speech/speech-detector.js';
import { SpeechSynthesizer } from '../../../packages/nova-sonic-emulator/src/speech/speech-synthesizer.js';
import { ManualClock } from '../../support/manual-clock.js';
import { sdkClient, speechSamples, TestClient } from './support/client.js';

/**
 * The real capture (README.md, evidence C; MEDIUM, 24 kHz, 32 ms frames), replayed: the same user and the same sequence
 * through the real SDK, on a manual clock; the emulator's event log is compared with the capture event by event.
 */
const SAID = 'Hello.';
const REPLY = 'This is a reply of more than two seconds of speech.';

/** How far an event may be from the capture, in ms. The clock is manual, so the machine adds nothing. */
const TOLERANCE_MS = 12;

interface Expected {
  /** Name, then what distinguishes it. */
  event: string;
  /** Milliseconds after the event before it; nothing where the capture has no figure. */
  after?: number;
  /** The capture gives a range. */
  upTo?: number;
}

const label = ({ name, event }: EmulatorEvent): string => {
  const { type, role, stopReason, content, additionalModelFields } = event as Record<
    string,
    string
  >;
  const stage = additionalModelFields && JSON.parse(additionalModelFields).generationStage;
  const text = name === 'textOutput' ? content : undefined;
  return [name, type, role, stage, text, stopReason].filter(Boolean).join(' ');
};

const isTurnEnd = ({ event }: EmulatorEvent) =>
  event.stopReason === 'END_TURN' && event.type === 'AUDIO';

let emulator: Emulator;
let out: EmulatorEvent[];
let frames: EmulatorEvent[];

/** When the sample at an offset was received. */
const receivedAt = (offsetMs: number) => (frames[Math.ceil(offsetMs / 32) - 1] as EmulatorEvent).t;
const named = (name: string) => out.filter((event) => event.name === name);

const clock = new ManualClock();
const textToSpeech = new SpeechSynthesizer();
/** Windows of audio that the voice activity detector is working on. */
let predicting = 0;

beforeAll(async () => {
  emulator = await startEmulator({
    scenario: {
      turns: [
        { user: SAID, reply: REPLY },
        { user: ['Wait', 'please.'], reply: 'Yes.' },
      ],
    },
    clock,
    textToSpeech,
    createVad: () => {
      const vad = createSileroVad();
      return {
        predict: async (window) => {
          predicting++;
          return vad.predict(window).finally(() => predicting--);
        },
      };
    },
  });
  const hello = await speechSamples(SAID);
  const wait = trimmed(await speechSamples('Wait a moment.'));
  // Synthesised ahead: the manual clock does not wait for the worker thread.
  const tiffany = { locale: 'en-US', register: 'feminine' } as const;
  await Promise.all([REPLY, 'Yes.'].map((text) => textToSpeech.say(text, tiffany, 24_000)));

  const client = new TestClient(sdkClient(emulator));
  const audioOpen = emulator.next(
    ({ direction, event }) => direction === 'in' && event.type === 'AUDIO',
  );
  client.start();
  client.text('SYSTEM', 'You are a friend.');
  client.openAudio({ primeMs: 0 });
  const { session } = await audioOpen;
  const microphone = new Microphone(client, session);
  const count = (matches: (event: EmulatorEvent) => boolean) =>
    emulator.events.seen({ session, direction: 'out' }).filter(matches).length;
  const isSpeechEnd = ({ name }: EmulatorEvent) => name === 'userSpeechEnd';

  microphone.add(silence(1600), hello);
  await microphone.runUntil(() => count(isTurnEnd) === 1);
  // The audio is all sent, and still playing: the user talks over it, continues after a short pause, then is done.
  microphone.add(wait, silence(850), wait);
  await microphone.runUntil(() => count(isSpeechEnd) === 3 && count(isTurnEnd) === 2);
  client.close();
  await emulator.until({ session, name: 'sessionEnd' });
  await clock.pass(1000);
  await client.ended;

  const logged = emulator.events.seen({ session });
  out = logged.filter(({ direction }) => direction === 'out');
  frames = logged.filter(({ direction, name }) => direction === 'in' && name === 'audioInput');
});
afterAll(async () => {
  await emulator?.close();
  await textToSpeech.close();
});

describe('the capture, replayed', () => {
  it('starts with usage events, the first 254 ms after sessionStart, without any speech', () => {
    const start = emulator.events.seen({
      session: out[0]?.session as string,
      name: 'sessionStart',
    });
    compare((start[0] as EmulatorEvent).t, out.slice(0, 4), [
      { event: 'usageEvent', after: 254 },
      { event: 'usageEvent', after: 30 },
      { event: 'usageEvent', after: 0 },
      { event: 'usageEvent', after: 74 },
    ]);
    const deltas = out.slice(0, 4).map(({ event }) => {
      // biome-ignore lint/suspicious/noExplicitAny: the event's shape is what is tested
      const { input } = (event as any).details.delta;
      return input.speechTokens || input.textTokens;
    });
    expect(deltas).toEqual([22, 157, 1, 43]);
  });

  it('reports the start of speech about 370 ms after its first sample', () => {
    const [start] = named('userSpeechStart') as [EmulatorEvent];
    const offset = start.event.inputAudioOffsetMs as number;
    expect(offset).toBeGreaterThan(1550);
    expect(offset).toBeLessThan(1900);
    between(start.t - receivedAt(offset), 370 - 32, 370);
  });

  it('reports the end of speech, detected 1.6 s after the last voiced sample', () => {
    const [end] = named('userSpeechEnd') as [EmulatorEvent];
    const { inputAudioOffsetMs: offset, inputAudioDetectionOffsetMs: detected } =
      end.event as Record<string, number>;
    expect((detected as number) - (offset as number)).toBe(1600);
    between(end.t - receivedAt(detected as number), 132, 196);
  });

  it('answers in the order and spacing of the capture', () => {
    const from = out.findIndex(({ name }) => name === 'userSpeechStart');
    const audio = out.findIndex(({ name }) => name === 'audioOutput');
    compare(undefined, out.slice(from, audio + 1), [
      { event: 'userSpeechStart' },
      { event: 'completionStart', after: 0 },
      { event: 'usageEvent' },
      { event: 'userSpeechEnd', after: 64 },
      { event: 'contentStart TEXT USER FINAL', after: 1 },
      { event: `textOutput USER ${SAID}`, after: 0 },
      { event: 'contentEnd TEXT PARTIAL_TURN', after: 0 },
      { event: 'usageEvent', after: 0, upTo: 9 },
      { event: 'usageEvent', after: 289 },
      { event: 'contentStart TEXT ASSISTANT SPECULATIVE', after: 13.5 },
      { event: `textOutput ASSISTANT ${REPLY}`, after: 0 },
      { event: 'contentEnd TEXT PARTIAL_TURN', after: 0 },
      { event: 'contentStart AUDIO ASSISTANT', after: 127.4 },
      { event: 'audioOutput ASSISTANT', after: 0.4 },
    ]);
  });

  it('sends its first sound 0.44 s after userSpeechEnd', () => {
    const [end] = named('userSpeechEnd') as [EmulatorEvent];
    const [sound] = named('audioOutput') as [EmulatorEvent];
    between(sound.t - end.t, 420, 460);
  });

  it('sends audio at about five times real time: 3840 bytes every 15.6 ms, up to 9600 at last', () => {
    const { contentId } = (named('audioOutput')[0] as EmulatorEvent).event;
    const chunks = named('audioOutput').filter(({ event }) => event.contentId === contentId);
    const bytes = chunks.map(({ event }) => Number(/\d+/.exec(event.content as string)));
    expect(new Set(bytes.slice(0, -1))).toEqual(new Set([3840]));
    expect(bytes.at(-1)).toBeLessThanOrEqual(9600);
    const gaps = chunks.slice(1).map(({ t }, i) => t - (chunks[i] as EmulatorEvent).t);
    expect(median(gaps)).toBeGreaterThan(14);
    expect(median(gaps)).toBeLessThan(18);
    const span = (chunks.at(-1) as EmulatorEvent).t - (chunks[0] as EmulatorEvent).t;
    const audioMs = bytes.reduce((sum, n) => sum + n, 0) / 48;
    expect(audioMs).toBeGreaterThan(2000);
    between(span, (chunks.length - 1) * 15.6, (chunks.length - 1) * 15.6);
    // 20 speech tokens for every 800 ms: about every 158 ms.
    const tokens = out.filter(
      ({ name, t, event }) =>
        name === 'usageEvent' &&
        t >= (chunks[0] as EmulatorEvent).t &&
        t <= (chunks.at(-1) as EmulatorEvent).t &&
        // biome-ignore lint/suspicious/noExplicitAny: the event's shape is what is tested
        (event as any).details.delta.output.speechTokens === 20,
    );
    expect(tokens).toHaveLength(Math.floor(audioMs / 800));
    if (tokens[1]) between(tokens[1].t - (tokens[0] as EmulatorEvent).t, 156, 156);
  });

  it('closes the audio 21 ms after its last chunk, as END_TURN', () => {
    const end = out.findIndex(({ event }) => event.type === 'AUDIO' && event.stopReason);
    const last = out.slice(0, end).findLast(({ name }) => name === 'audioOutput') as EmulatorEvent;
    expect(label(out[end] as EmulatorEvent)).toBe('contentEnd AUDIO END_TURN');
    between((out[end] as EmulatorEvent).t - last.t, 18, 24);
  });

  it('shows the barge-in as the burst of the capture, within milliseconds', () => {
    const from = out.findIndex(
      ({ name }, i) =>
        name === 'userSpeechStart' && i > out.findIndex((e) => e.name === 'audioOutput'),
    );
    const burst = out.slice(from, from + 8);
    expect(burst.slice(0, 4).map(label)).toEqual([
      'userSpeechStart',
      'contentStart TEXT ASSISTANT FINAL',
      'textOutput ASSISTANT { "interrupted" : true }',
      'contentEnd TEXT INTERRUPTED',
    ]);
    expect(burst.slice(4).map(({ name }) => name)).toEqual([
      'contentStart',
      'textOutput',
      'contentEnd',
      'usageEvent',
    ]);
    expect(label(burst[6] as EmulatorEvent)).toBe('contentEnd TEXT PARTIAL_TURN');
    const spoken = (burst[5] as EmulatorEvent).event.content as string;
    expect(REPLY.startsWith(spoken) && spoken !== REPLY).toBe(true);
    between((burst[7] as EmulatorEvent).t - (burst[0] as EmulatorEvent).t, 0, 2.6);
  });

  it('ends the window of a barge-in after 720 ms, and postpones the reply of a user who continues', () => {
    const [, second, third] = named('userSpeechEnd') as EmulatorEvent[];
    const gap = ({ event }: EmulatorEvent) =>
      (event.inputAudioDetectionOffsetMs as number) - (event.inputAudioOffsetMs as number);
    expect(gap(second as EmulatorEvent)).toBe(736); // 720 ms, in windows of 32 ms
    const between = out.slice(
      out.indexOf(second as EmulatorEvent),
      out.indexOf(third as EmulatorEvent),
    );
    expect(between.filter(({ name }) => name !== 'usageEvent').map(label)).toEqual([
      'userSpeechEnd',
      'contentStart TEXT USER FINAL',
      'textOutput USER Wait',
      'contentEnd TEXT PARTIAL_TURN',
      'userSpeechStart',
    ]);
    const after = out.slice(out.indexOf(third as EmulatorEvent)).map(label);
    expect(after).toContain('textOutput USER please.');
    expect(after.filter((text) => text === 'textOutput ASSISTANT Yes.')).toHaveLength(1);
  });

  it('ends with completionEnd, once, after promptEnd', () => {
    expect(named('completionEnd')).toHaveLength(1);
    expect(label(out.at(-1) as EmulatorEvent)).toBe('completionEnd END_TURN');
    const [end] = emulator.events.seen({ session: out[0]?.session as string, name: 'promptEnd' });
    expect((out.at(-1) as EmulatorEvent).t).toBeGreaterThan((end as EmulatorEvent).t);
  });
});

function compare(start: number | undefined, events: EmulatorEvent[], expected: Expected[]): void {
  expect(events.map(label)).toEqual(expected.map(({ event }) => event));
  let before = start;
  for (const [i, { after, upTo }] of expected.entries()) {
    const { t } = events[i] as EmulatorEvent;
    if (after !== undefined && before !== undefined) between(t - before, after, upTo ?? after);
    before = t;
  }
}

function between(value: number, low: number, high: number): void {
  expect(value).toBeGreaterThanOrEqual(low - TOLERANCE_MS);
  expect(value).toBeLessThanOrEqual(high + TOLERANCE_MS);
}

const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1] as number;
const silence = (ms: number) => new Int16Array(ms * 16);

/** Without the silence around it, so that pauses are as long as they say. */
function trimmed(samples: Int16Array): Int16Array {
  const loud = (sample: number) => Math.abs(sample) > 300;
  return samples.slice(samples.findIndex(loud), samples.findLastIndex(loud) + 1);
}

/** Frames of 32 ms of the clock: what was added, and silence in between. */
class Microphone {
  private samples: number[] = [];

  constructor(
    private readonly client: TestClient,
    private readonly session: string,
  ) {}

  add(...parts: Int16Array[]): void {
    for (const part of parts) this.samples.push(...part);
  }

  async runUntil(done: () => boolean): Promise<void> {
    // A minute is more than the whole capture.
    for (let i = 0; !done(); i++) {
      if (i > 60_000 / 32) throw new Error(`not done after a minute: ${this.client.names()}`);
      const frame = new Int16Array(512);
      frame.set(this.samples.splice(0, 512));
      const received = emulator.next({ session: this.session, name: 'audioInput' });
      this.client.audio(frame);
      await received;
      do await new Promise<void>((resolve) => setImmediate(resolve));
      while (predicting > 0);
      await clock.pass(32);
    }
  }
}

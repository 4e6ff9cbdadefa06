// SPDX-License-Identifier: Apache-2.0
import type * as Sdk from '@aws-sdk/client-bedrock-runtime';
import { FormantVoice } from '../speech/formant-voice.js';
import { canSynthesize, SpeechSynthesizer } from '../speech/speech-synthesizer.js';
import {
  BedrockStream,
  type StreamEnd,
  type StreamEndpoint,
  type StreamedEvent,
} from './bedrock-stream.js';
import { type ComparedConversation, PROMPT } from './conversations.js';

/** What one endpoint did in one conversation: nothing of what was said, no ids. */
export interface Observation {
  /** Name of the conversation. */
  conversation: string;
  /** Kinds of events in their order; repeated ones once. */
  order: string[];
  /** Fields of each kind of event. */
  fields: Record<string, string[]>;
  /** Milliseconds: from the opening to the first event, and between landmarks. */
  timing: Record<string, number>;
  /** How the stream ended, without ids; undefined for a normal end. */
  error?: string;
}

/** How conversations are held with an endpoint. */
export interface ObserveOptions {
  /** Model that both endpoints are asked for, like `amazon.nova-2-sonic-v1:0`. */
  modelId: string;
  /** Longest wait for an event, in milliseconds. */
  patienceMs: number;
  /** Speed of the speech; 1 is real time, which the real service needs. */
  pace: number;
}

const FRAME_MS = 32;
const RATE = 16_000;
/** Silence after what is said, so that the end of speech is found. */
const TRAILING_MS = 2600;

/**
 * Holds a conversation with an endpoint and reports what it did.
 * @throws Error of one sentence when there are no credentials for the endpoint
 */
export async function observeConversation(
  sdk: typeof Sdk,
  endpoint: StreamEndpoint,
  conversation: ComparedConversation,
  { modelId, patienceMs, pace }: ObserveOptions,
): Promise<Observation> {
  const events: StreamedEvent[] = [];
  const listeners = new Set<(event: StreamedEvent) => void>();
  const stream = new BedrockStream(sdk, endpoint, modelId, (event) => {
    events.push(event);
    for (const listener of [...listeners]) listener(event);
  });
  let over: StreamEnd | undefined;
  const ended = stream.ended.then((end) => {
    over = end;
    return undefined;
  });
  const send = (name: string, body: object) => stream.send({ event: { [name]: body } });
  await conversation.hold({
    send,
    wait: (matches) => {
      let cleanUp = () => {};
      const seen = new Promise<StreamedEvent | undefined>((resolve) => {
        const listener = (event: StreamedEvent) => matches(event) && resolve(event);
        const timer = setTimeout(resolve, patienceMs, undefined);
        listeners.add(listener);
        cleanUp = () => {
          clearTimeout(timer);
          listeners.delete(listener);
        };
      });
      return Promise.race([seen, ended]).finally(cleanUp);
    },
    speak: async (text) => {
      for (const pcm of frames(await speech(text))) {
        if (over) return;
        send('audioInput', {
          promptName: PROMPT,
          contentName: 'audio',
          content: pcm.toString('base64'),
        });
        await new Promise((resolve) => setTimeout(resolve, FRAME_MS / pace));
      }
    },
  });
  if (!over) {
    send('contentEnd', { promptName: PROMPT, contentName: 'audio' });
    send('promptEnd', { promptName: PROMPT });
    send('sessionEnd', {});
  }
  stream.end();
  const timer = new Promise((resolve) => setTimeout(resolve, patienceMs).unref());
  await Promise.race([ended, timer]);
  if (over?.unsigned) throw new Error(over.unsigned);
  return summary(conversation.name, events, over ?? { type: 'no end' });
}

async function speech(text: string): Promise<Int16Array> {
  const voice = { locale: 'en-US', register: 'masculine' } as const;
  if (!canSynthesize()) return new FormantVoice().say(text, voice, RATE);
  const synthesizer = new SpeechSynthesizer();
  try {
    return await synthesizer.say(text, voice, RATE);
  } finally {
    await synthesizer.close();
  }
}

function* frames(samples: Int16Array): Generator<Buffer> {
  const all = new Int16Array(samples.length + (RATE * TRAILING_MS) / 1000);
  all.set(samples);
  const size = (RATE * FRAME_MS) / 1000;
  for (let at = 0; at < all.length; at += size) {
    const part = all.slice(at, at + size);
    yield Buffer.from(part.buffer);
  }
}

/** `contentStart AUDIO ASSISTANT`, `contentEnd TEXT INTERRUPTED` …: no text, no ids. */
function kindOf({ name, body }: StreamedEvent): string {
  const stage = /"generationStage"\s*:\s*"(\w+)"/.exec(String(body.additionalModelFields))?.[1];
  const role = name === 'contentStart' || name === 'textOutput' ? body.role : undefined;
  return [name, body.type, role, stage, body.stopReason].filter(Boolean).join(' ');
}

/** Kinds that come whenever they like, and so have no place in the order. */
const UNORDERED = /^(usageEvent|contentStart TEXT ASSISTANT FINAL|textOutput|audioOutput)/;

/** What the events of a conversation and its end amount to. */
export function summary(
  conversation: string,
  events: readonly StreamedEvent[],
  end: StreamEnd,
): Observation {
  const order: string[] = [];
  const fields: Record<string, string[]> = {};
  for (const event of events) {
    const kind = kindOf(event);
    const known = new Set([...(fields[event.name] ?? []), ...Object.keys(event.body)]);
    fields[event.name] = [...known].sort();
    // Replies have as many sentences as they like: each kind has its first place.
    if (!UNORDERED.test(kind) && !order.includes(kind)) order.push(kind);
  }
  const error =
    end.type &&
    `${end.type}${end.httpStatus ? ` (${end.httpStatus})` : ''}: ${anonymous(end.message)}`;
  return {
    conversation,
    order,
    fields,
    timing: timing(events),
    ...(error && { error }),
  };
}

/** Without request ids, names of contents and prompts. */
const anonymous = (message = '') =>
  message.replace(/^RequestId=\S+ : /, '').replace(/\[[^\]]*\]/g, '[…]');

/** Where in the audio speech ended, and where that was found; the network and the machine have no part in it. */
function pause(events: readonly StreamedEvent[]): [number?, number?] {
  const { inputAudioOffsetMs: from, inputAudioDetectionOffsetMs: to } =
    events.find(({ name }) => name === 'userSpeechEnd')?.body ?? {};
  return typeof from === 'number' && typeof to === 'number' ? [from, to] : [];
}

function timing(events: readonly StreamedEvent[]): Record<string, number> {
  const first = (matches: (event: StreamedEvent) => boolean) => events.find(matches)?.t;
  const named = (name: string) => first((event) => event.name === name);
  const audio = named('audioOutput');
  const marks: [string, number?, number?][] = [
    ['first event', 0, events[0]?.t],
    ['userSpeechEnd to first audio', named('userSpeechEnd'), audio],
    [
      'first SPECULATIVE text to first audio',
      first((e) => kindOf(e).endsWith('SPECULATIVE')),
      audio,
    ],
    ['first event to first audio', events[0]?.t, audio],
    ['silence until the end of speech was found', ...pause(events)],
  ];
  return Object.fromEntries(
    marks
      .filter(([, from, to]) => from !== undefined && to !== undefined && to >= from)
      .map(([name, from, to]) => [name, Math.round((to as number) - (from as number))]),
  );
}

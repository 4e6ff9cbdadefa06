// SPDX-License-Identifier: Apache-2.0

import { EventEmitter, once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import {
  AudioFrame,
  AudioSource,
  AudioStream,
  LocalAudioTrack,
  type RemoteTrack,
  Room,
  RoomEvent,
  TrackKind,
  TrackPublishOptions,
  TrackSource,
} from '@livekit/rtc-node';
import { AccessToken } from 'livekit-server-sdk';
import { CALL_EVENTS_TOPIC, type CallEvent } from '../../agent/src/call/call-events.js';
import { SILENCE } from '../audio/wav.js';
import type { Line } from '../caller/caller.js';

/** The rate of a light caller's sound, both ways, in Hz. */
export const LIGHT_RATE = 16_000;
/** Long frames: every frame is an event for every room and stream of the process. */
const SPOKEN_MS = 200;
const HEARD_MS = 50;
/** From the agent's subscription to our microphone until it surely hears us. */
const LISTENING_MS = 500;
const FRAME_SAMPLES = (LIGHT_RATE * SPOKEN_MS) / 1000;
/** Silence after which an answer has ended; words are never so far apart. */
const ENDED_MS = 700;
/** No answer is longer. */
const LONGEST_MS = 30_000;

/** An answer as the caller heard it; times in ms since the epoch. */
export interface Answer {
  /** From the last sound of the question to the first of the answer. */
  latencyMs: number;
  /** From the first sound of the answer to its last. */
  heardMs: number;
  /** The longest silence inside the answer. */
  longestPauseMs: number;
  endedAt: number;
}

interface Events {
  feed: [CallEvent];
  /** Some sound of the agent was heard, or 50 ms of silence. */
  heard: [loud: boolean, at: number];
  agent: [identity: string, present: boolean, at: number];
  /** LiveKit's connection was lost and found again. */
  reconnected: [];
}

/**
 * A caller that costs little and keeps no recording: made for many calls, not for measuring milliseconds. The
 * microphone is opened with the first question; until then the caller only listens, as one who is muted.
 */
export class LightCaller extends EventEmitter<Events> {
  readonly room = new Room();
  #source: AudioSource | undefined;
  #words: { samples: Int16Array; at: number; done: (at: number) => void } | undefined;
  #microphone: NodeJS.Timeout | undefined;
  #agent = '';

  constructor(readonly name: string) {
    super();
    this.setMaxListeners(50);
  }

  async join(line: Line): Promise<void> {
    const token = new AccessToken(line.apiKey, line.apiSecret, { identity: 'caller', ttl: '1h' });
    token.addGrant({ room: this.name, roomJoin: true, canPublish: true, canSubscribe: true });
    this.room
      .on(RoomEvent.TrackSubscribed, (track) => void this.#hear(track).catch(() => {}))
      .on(RoomEvent.ParticipantConnected, ({ identity }) => this.#present(identity, true))
      .on(RoomEvent.ParticipantDisconnected, ({ identity }) => this.#present(identity, false))
      .on(RoomEvent.Disconnected, () => this.#present(this.#agent, false))
      .on(RoomEvent.Reconnected, () => this.emit('reconnected'));
    this.room.registerTextStreamHandler(CALL_EVENTS_TOPIC, async (reader) => {
      // What is still on its way when the caller hangs up is never complete.
      const text = await reader.readAll().catch(() => undefined);
      if (text !== undefined) this.emit('feed', JSON.parse(text) as CallEvent);
    });
    await this.room.connect(line.url, await token.toJwt(), {
      autoSubscribe: true,
      dynacast: false,
    });
  }

  /** Speaks, and listens to the answer; undefined when none has begun within `ms`. */
  async ask(question: Int16Array, ms = 15_000): Promise<Answer | undefined> {
    // Without an agent nobody subscribes to it.
    if (!this.#microphone && !(await within(ms, this.#openMicrophone()))) return undefined;
    const spokenAt = await new Promise<number>((done) => {
      this.#words = { samples: question, at: 0, done };
    });
    return this.listen(spokenAt, ms);
  }

  /** Listens to one answer that begins after `from`; it also ends when the agent leaves. */
  async listen(from: number, ms = 15_000): Promise<Answer | undefined> {
    let first = 0;
    let last = 0;
    let pause = 0;
    const late = Date.now() + ms;
    for (;;) {
      // Without a track nothing is heard, not even silence.
      const until = first ? late + LONGEST_MS : late;
      const signal = AbortSignal.timeout(Math.max(0, until - Date.now()));
      const heard = await once(this, 'heard', { signal }).catch(() => undefined);
      const [loud, at] = (heard as [boolean, number] | undefined) ?? [false, Date.now()];
      if (loud && at > from) {
        first ||= at;
        if (last) pause = Math.max(pause, at - last - HEARD_MS);
        last = at;
      } else if (first && (!heard || at - last > ENDED_MS)) {
        const heardMs = last - first + HEARD_MS;
        return { latencyMs: first - from, heardMs, longestPauseMs: pause, endedAt: last };
      } else if (!first && (!heard || at > late)) {
        return undefined;
      }
    }
  }

  async hangUp(): Promise<void> {
    clearTimeout(this.#microphone);
    await this.room.disconnect();
    await this.#source?.close().catch(() => {});
  }

  #present(identity: string, here: boolean): void {
    if (!identity.startsWith('agent-')) return;
    this.#agent = identity;
    this.emit('agent', identity, here, Date.now());
    // Its sound ends with it, and so does an answer that somebody listens to.
    if (!here) setTimeout(() => this.emit('heard', false, Date.now()), ENDED_MS + HEARD_MS);
  }

  async #openMicrophone(): Promise<void> {
    const source = new AudioSource(LIGHT_RATE, 1, 1_000);
    this.#source = source;
    const track = LocalAudioTrack.createAudioTrack('microphone', source);
    const options = new TrackPublishOptions();
    options.source = TrackSource.SOURCE_MICROPHONE;
    const publication = await this.room.localParticipant?.publishTrack(track, options);
    this.#send(source);
    // Words that nobody is subscribed to yet would be lost.
    await publication?.waitForSubscription();
    await new Promise((resolve) => setTimeout(resolve, LISTENING_MS));
  }

  /** Sends frames by the clock, as a microphone does: silence when there is nothing to say. */
  #send(source: AudioSource): void {
    const start = performance.now();
    let sent = 0;
    const tick = () => {
      const due = Math.floor((performance.now() - start) / SPOKEN_MS);
      // After a stall only the last second is made up for: what is older would only pile up in the queue.
      sent = Math.max(sent, due - 5);
      for (; sent < due; sent++) {
        const frame = new AudioFrame(this.#nextFrame(), LIGHT_RATE, 1, FRAME_SAMPLES);
        void source.captureFrame(frame).catch(() => {});
      }
      this.#microphone = setTimeout(tick, SPOKEN_MS);
    };
    tick();
  }

  #nextFrame(): Int16Array {
    const samples = new Int16Array(FRAME_SAMPLES);
    const words = this.#words;
    if (!words) return samples;
    const part = words.samples.subarray(words.at, words.at + FRAME_SAMPLES);
    samples.set(part);
    words.at += FRAME_SAMPLES;
    if (words.at >= words.samples.length) {
      this.#words = undefined;
      // The frame is handed over as a whole: its last word goes out when it has been played so far.
      words.done(Date.now() + Math.round((part.length * 1000) / LIGHT_RATE));
    }
    return samples;
  }

  /** Rejects when the track has gone again before it is listened to (a caller who hangs up at once). */
  async #hear(track: RemoteTrack): Promise<void> {
    if (track.kind !== TrackKind.KIND_AUDIO) return;
    const frames = new AudioStream(track, {
      sampleRate: LIGHT_RATE,
      numChannels: 1,
      frameSizeMs: HEARD_MS,
    });
    for await (const frame of frames) {
      const loud = frame.data.some((sample) => Math.abs(sample) > SILENCE);
      const at = Date.now();
      this.emit('heard', loud, at);
    }
  }
}

/** Whether it came about within `ms`; a room that is gone rejects. */
async function within(ms: number, happens: Promise<unknown>): Promise<boolean> {
  const timer = new AbortController();
  const late = delay(ms, false, { signal: timer.signal }).catch(() => false);
  const came = await Promise.race([
    happens.then(
      () => true,
      () => false,
    ),
    late,
  ]);
  timer.abort();
  return came;
}

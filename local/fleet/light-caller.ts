// SPDX-License-Identifier: Apache-2.0

import { EventEmitter, once } from 'node:events';
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
import { CALL_FEED_TOPIC, type CallFeedMessage } from '../../agent/src/call-feed.js';
import type { Line } from '../caller.js';
import { SILENCE } from '../recording.js';

/** The rate of a light caller's sound, both ways, in Hz. */
export const LIGHT_RATE = 16_000;
const FRAME_MS = 50;
const FRAME_SAMPLES = (LIGHT_RATE * FRAME_MS) / 1000;
/** Silence after which an answer has ended; words are never so far apart. */
const ENDED_MS = 700;

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
  feed: [CallFeedMessage];
  /** Some sound of the agent was heard, or 50 ms of silence. */
  heard: [loud: boolean, at: number];
  agent: [present: boolean, at: number];
}

/** A caller that costs little: dozens fit into one process. Made for many calls, not for measuring milliseconds. */
export class LightCaller extends EventEmitter<Events> {
  readonly room = new Room();
  readonly feed: CallFeedMessage[] = [];
  /** Every time LiveKit's connection was lost and found again. */
  reconnects = 0;
  agentJoinedAt: number | undefined;
  agentLeftAt: number | undefined;
  agentIdentity: string | undefined;
  #source = new AudioSource(LIGHT_RATE, 1, 400);
  #words: { samples: Int16Array; at: number; done: (at: number) => void } | undefined;
  #microphone: NodeJS.Timeout | undefined;
  /** The agent's last sound. */
  lastSoundAt = 0;

  constructor(readonly name: string) {
    super();
    this.setMaxListeners(50);
  }

  async join(line: Line): Promise<void> {
    const token = new AccessToken(line.apiKey, line.apiSecret, { identity: 'caller', ttl: '1h' });
    token.addGrant({ room: this.name, roomJoin: true, canPublish: true, canSubscribe: true });
    this.room
      .on(RoomEvent.TrackSubscribed, (track) => void this.#hear(track))
      .on(RoomEvent.ParticipantConnected, ({ identity }) => this.#present(identity, true))
      .on(RoomEvent.ParticipantDisconnected, ({ identity }) => this.#present(identity, false))
      .on(RoomEvent.Disconnected, () => this.#present(this.agentIdentity ?? '', false))
      .on(RoomEvent.Reconnected, () => {
        this.reconnects += 1;
      });
    this.room.registerTextStreamHandler(CALL_FEED_TOPIC, async (reader) => {
      const message = JSON.parse(await reader.readAll()) as CallFeedMessage;
      this.feed.push(message);
      this.emit('feed', message);
    });
    await this.room.connect(line.url, await token.toJwt(), {
      autoSubscribe: true,
      dynacast: false,
    });
    const track = LocalAudioTrack.createAudioTrack('microphone', this.#source);
    const options = new TrackPublishOptions();
    options.source = TrackSource.SOURCE_MICROPHONE;
    await this.room.localParticipant?.publishTrack(track, options);
    this.#openMicrophone();
  }

  get agentPresent(): boolean {
    return this.agentJoinedAt !== undefined && this.agentLeftAt === undefined;
  }

  /** When the agent joined, in ms since the epoch; undefined when it did not within `ms`. */
  async untilAgent(ms: number): Promise<number | undefined> {
    const signal = AbortSignal.timeout(ms);
    try {
      while (!this.agentPresent) await once(this, 'agent', { signal });
      return this.agentJoinedAt;
    } catch {
      return undefined;
    }
  }

  /** Resolves when the agent has left. */
  async untilAlone(ms: number): Promise<boolean> {
    const signal = AbortSignal.timeout(ms);
    try {
      while (this.agentPresent) await once(this, 'agent', { signal });
      return true;
    } catch {
      return false;
    }
  }

  /** The first thing told that fits, of the past or within `ms`. */
  async told<T extends CallFeedMessage['type']>(
    type: T,
    ms: number,
    fits: (message: Extract<CallFeedMessage, { type: T }>) => boolean = () => true,
  ): Promise<Extract<CallFeedMessage, { type: T }> | undefined> {
    const wanted = (message: CallFeedMessage): message is Extract<CallFeedMessage, { type: T }> =>
      message.type === type && fits(message as Extract<CallFeedMessage, { type: T }>);
    const signal = AbortSignal.timeout(ms);
    try {
      for (;;) {
        const found = this.feed.find(wanted);
        if (found) return found;
        await once(this, 'feed', { signal });
      }
    } catch {
      return undefined;
    }
  }

  /** Speaks, and listens to the answer; undefined when none has begun within `ms`. */
  async ask(question: Int16Array, ms = 15_000): Promise<Answer | undefined> {
    const spokenAt = await new Promise<number>((done) => {
      this.#words = { samples: question, at: 0, done };
    });
    return this.listen(spokenAt, ms);
  }

  /** Listens to one answer that begins after `from`. */
  async listen(from: number, ms = 15_000): Promise<Answer | undefined> {
    let first = 0;
    let last = 0;
    let pause = 0;
    const signal = AbortSignal.timeout(ms + 30_000);
    const late = Date.now() + ms;
    try {
      for (;;) {
        const [loud, at] = (await once(this, 'heard', { signal })) as [boolean, number];
        if (loud && at > from) {
          first ||= at;
          if (last) pause = Math.max(pause, at - last - FRAME_MS);
          last = at;
        } else if (first && at - last > ENDED_MS) {
          const heardMs = last - first + FRAME_MS;
          return { latencyMs: first - from, heardMs, longestPauseMs: pause, endedAt: last };
        } else if (!first && at > late) {
          return undefined;
        }
      }
    } catch {
      return undefined;
    }
  }

  async hangUp(): Promise<void> {
    clearTimeout(this.#microphone);
    await this.room.disconnect();
    await this.#source.close().catch(() => {});
  }

  #present(identity: string, here: boolean): void {
    if (!identity.startsWith('agent-')) return;
    const at = Date.now();
    if (here) {
      this.agentIdentity = identity;
      this.agentJoinedAt = at;
      this.agentLeftAt = undefined;
    } else if (this.agentPresent) {
      this.agentLeftAt = at;
    }
    this.emit('agent', here, at);
  }

  #openMicrophone(): void {
    const start = performance.now();
    let sent = 0;
    const tick = () => {
      const due = Math.floor((performance.now() - start) / FRAME_MS);
      // After a stall only the last second is made up for: what is older would only pile up in the queue.
      sent = Math.max(sent, due - 20);
      for (; sent < due; sent++) {
        const frame = new AudioFrame(this.#nextFrame(), LIGHT_RATE, 1, FRAME_SAMPLES);
        void this.#source.captureFrame(frame).catch(() => {});
      }
      this.#microphone = setTimeout(tick, FRAME_MS);
    };
    tick();
  }

  #nextFrame(): Int16Array {
    const samples = new Int16Array(FRAME_SAMPLES);
    const words = this.#words;
    if (!words) return samples;
    samples.set(words.samples.subarray(words.at, words.at + FRAME_SAMPLES));
    words.at += FRAME_SAMPLES;
    if (words.at >= words.samples.length) {
      this.#words = undefined;
      words.done(Date.now());
    }
    return samples;
  }

  async #hear(track: RemoteTrack): Promise<void> {
    if (track.kind !== TrackKind.KIND_AUDIO) return;
    const frames = new AudioStream(track, {
      sampleRate: LIGHT_RATE,
      numChannels: 1,
      frameSizeMs: FRAME_MS,
    });
    for await (const frame of frames) {
      const loud = frame.data.some((sample) => Math.abs(sample) > SILENCE);
      const at = Date.now();
      if (loud) this.lastSoundAt = at;
      this.emit('heard', loud, at);
    }
  }
}

// SPDX-License-Identifier: Apache-2.0

import { EventEmitter, once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import {
  AudioFrame,
  AudioSource,
  AudioStream,
  type RemoteTrack,
  Room,
  RoomEvent,
  TrackKind,
} from '@livekit/rtc-node';
import { type CallEvent, WAITING_LINE_ATTRIBUTE } from '../../agent/src/call/call-events.js';
import { leaveRoom } from '../../agent/src/call/leave-room.js';
import { joinRoom, publishMicrophone } from '../../agent/src/caller/join-room.js';
import { SILENCE_LEVEL } from '../../agent/src/caller/pcm.js';
import { deliverOwnEvents } from '../../agent/src/host/own-room-events.js';
import { type CallerConditions, createDevice } from '../caller/device.js';
import { pressKeys } from '../caller/phone.js';
import type { LiveKitConnection } from '../livekit/connection.js';

/** Sample rate in Hz of a light caller without a telephone, in both directions. */
export const LIGHT_RATE = 16_000;
/** Long frames: each one is an event for every room and stream of the process. */
const MICROPHONE_FRAME_MS = 200;
const AGENT_FRAME_MS = 50;
/** From the agent's subscription to the microphone until it receives audio reliably. */
const SUBSCRIPTION_SETTLE_MS = 500;
/** After a stall, older frames than these are skipped: they would only pile up in the queue. */
const MAX_LATE_FRAMES = 5;
/** Silence after which an answer has ended; pauses between words are shorter. */
const ANSWER_ENDED_AFTER_MS = 700;
const MAX_ANSWER_MS = 30_000;

/** An answer as the caller heard it. */
export interface HeardAnswer {
  /** From the last sound of the question to the first of the answer. */
  latencyMs: number;
  /** From the first sound of the answer to its last. */
  heardMs: number;
  /** The longest silence within the answer. */
  longestPauseMs: number;
  /** Ms since the epoch. */
  endedAt: number;
}

/** Everything that a caller has heard since it joined, of agents and of the waiting line. */
export interface HeardSound {
  /** Of the first sound, in ms since the epoch; undefined when nothing was heard. */
  firstAt?: number;
  /** The longest time without a sound since then, until now, in ms. */
  longestSilenceMs: number;
}

interface LightCallerEvents {
  callEvent: [CallEvent];
  /** One frame of the agent's audio arrived. */
  frame: [loud: boolean, at: number];
  agent: [identity: string, present: boolean, at: number];
  /** The connection to LiveKit was lost and restored. */
  reconnected: [];
  /** The caller is out of the room: it hung up, was removed, or the room was deleted. */
  disconnected: [at: number];
}

/**
 * A caller that needs little CPU and records nothing: for many calls at once, not for measuring milliseconds. The
 * microphone is published with the first question, if it was not opened before; until then the caller only listens.
 */
export class LightCaller extends EventEmitter<LightCallerEvents> {
  readonly room = new Room();
  #source: AudioSource | undefined;
  #utterance: { samples: Int16Array; offset: number; done: (at: number) => void } | undefined;
  #opened: Promise<void> | undefined;
  #microphone: NodeJS.Timeout | undefined;
  readonly #agents = new Set<string>();
  #sound: { firstAt: number; lastAt: number; longestSilenceMs: number } | undefined;
  readonly #device: ReturnType<typeof createDevice>;

  constructor(
    readonly name: string,
    conditions: CallerConditions = {},
  ) {
    super();
    deliverOwnEvents(this.room);
    this.#device = createDevice(conditions, LIGHT_RATE);
    this.setMaxListeners(50);
  }

  async join(connection: LiveKitConnection): Promise<void> {
    this.room
      .on(RoomEvent.TrackSubscribed, (track, _, { attributes }) => {
        const waiting = Boolean(attributes[WAITING_LINE_ATTRIBUTE]);
        void this.#receiveTrack(track, waiting).catch(() => {});
      })
      .on(RoomEvent.ParticipantConnected, ({ identity }) => this.#setAgentPresent(identity, true))
      .on(RoomEvent.ParticipantDisconnected, ({ identity }) =>
        this.#setAgentPresent(identity, false),
      )
      .on(RoomEvent.Disconnected, () => {
        for (const identity of this.#agents) this.#setAgentPresent(identity, false);
        this.emit('disconnected', Date.now());
      })
      .on(RoomEvent.Reconnected, () => this.emit('reconnected'));
    this.#device.beforeJoin?.(this.room);
    await joinRoom(this.room, connection, {
      name: this.name,
      identity: 'caller',
      sip: this.#device.sip,
      onCallEvent: (event) => this.emit('callEvent', event),
    });
  }

  /**
   * Asks a question and listens to the answer; undefined when none has started within `ms`.
   * @param question At 16 kHz, or at 8 kHz for a telephone
   */
  async ask(question: Int16Array, ms = 15_000): Promise<HeardAnswer | undefined> {
    // Without an agent nobody subscribes to the microphone.
    if (!(await settlesWithin(ms, this.openMicrophone()))) return undefined;
    const spokenAt = await new Promise<number>((done) => {
      this.#utterance = { samples: question, offset: 0, done };
    });
    return this.listen(spokenAt, ms);
  }

  /** Listens to one answer that starts after `from`; it also ends when the last agent leaves. */
  async listen(from: number, ms = 15_000): Promise<HeardAnswer | undefined> {
    let first = 0;
    let last = 0;
    let pause = 0;
    const deadline = Date.now() + ms;
    for (;;) {
      // Without a track no frames arrive, not even silent ones.
      const until = first ? deadline + MAX_ANSWER_MS : deadline;
      const signal = AbortSignal.timeout(Math.max(0, until - Date.now()));
      const frame = await once(this, 'frame', { signal }).catch(() => undefined);
      const [loud, at] = (frame as [boolean, number] | undefined) ?? [false, Date.now()];
      if (loud && at > from) {
        first ||= at;
        if (last) pause = Math.max(pause, at - last - AGENT_FRAME_MS);
        last = at;
      } else if (first && (!frame || at - last > ANSWER_ENDED_AFTER_MS)) {
        const heardMs = last - first + AGENT_FRAME_MS;
        return {
          latencyMs: first - from,
          heardMs,
          longestPauseMs: pause,
          endedAt: last,
        };
      } else if (!first && (!frame || at > deadline)) {
        return undefined;
      }
    }
  }

  /** Presses keys one after the other, as on a telephone; `w` is a pause of half a second. */
  press(keys: string): Promise<void> {
    return pressKeys(this.room, keys);
  }

  /** What it has heard since it joined, until now. */
  async heard(): Promise<HeardSound> {
    this.#noteSilence(Date.now());
    const { firstAt, longestSilenceMs = 0 } = this.#sound ?? {};
    return { ...(firstAt && { firstAt }), longestSilenceMs };
  }

  #noteSilence(until: number): void {
    const sound = this.#sound;
    if (sound) sound.longestSilenceMs = Math.max(sound.longestSilenceMs, until - sound.lastAt);
  }

  async hangUp(): Promise<void> {
    clearTimeout(this.#microphone);
    await leaveRoom(this.room);
    await this.#source?.close().catch(() => {});
  }

  #setAgentPresent(identity: string, here: boolean): void {
    if (!identity.startsWith('agent-')) return;
    if (here) this.#agents.add(identity);
    else this.#agents.delete(identity);
    this.emit('agent', identity, here, Date.now());
    // No more frames arrive: end an answer that is being listened to.
    if (this.#agents.size === 0)
      setTimeout(
        () => this.emit('frame', false, Date.now()),
        ANSWER_ENDED_AFTER_MS + AGENT_FRAME_MS,
      );
  }

  /** Publishes the microphone, once, and sends silence until there is a question; done when an agent receives it. */
  openMicrophone(): Promise<void> {
    this.#opened ??= this.#publish();
    return this.#opened;
  }

  async #publish(): Promise<void> {
    const source = new AudioSource(this.#device.sampleRate, 1, 1_000);
    this.#source = source;
    const publication = await publishMicrophone(this.room, source);
    this.#sendFrames(source);
    // Audio that is sent before the agent subscribes is lost.
    await publication?.waitForSubscription();
    await new Promise((resolve) => setTimeout(resolve, SUBSCRIPTION_SETTLE_MS));
  }

  /** Sends frames by the clock, as a microphone does; silence between utterances. */
  #sendFrames(source: AudioSource): void {
    const start = performance.now();
    let sent = 0;
    const tick = () => {
      const due = Math.floor((performance.now() - start) / MICROPHONE_FRAME_MS);
      sent = Math.max(sent, due - MAX_LATE_FRAMES);
      for (; sent < due; sent++) {
        const samples = this.#device.send(this.#nextFrame());
        const frame = new AudioFrame(samples, this.#device.sampleRate, 1, samples.length);
        void source.captureFrame(frame).catch(() => {});
      }
      this.#microphone = setTimeout(tick, MICROPHONE_FRAME_MS);
    };
    tick();
  }

  #nextFrame(): Int16Array {
    const length = (this.#device.sampleRate * MICROPHONE_FRAME_MS) / 1000;
    const samples = new Int16Array(length);
    const utterance = this.#utterance;
    if (!utterance) return samples;
    const part = utterance.samples.subarray(utterance.offset, utterance.offset + length);
    samples.set(part);
    utterance.offset += length;
    if (utterance.offset >= utterance.samples.length) {
      this.#utterance = undefined;
      // The source plays the frame in real time: the utterance ends when its part of the frame has been played.
      utterance.done(Date.now() + Math.round((part.length * 1000) / this.#device.sampleRate));
    }
    return samples;
  }

  /** Rejects when the track was removed before it could be read (a caller who hangs up at once). */
  async #receiveTrack(track: RemoteTrack, waiting: boolean): Promise<void> {
    if (track.kind !== TrackKind.KIND_AUDIO) return;
    const frames = new AudioStream(track, {
      sampleRate: this.#device.sampleRate,
      numChannels: 1,
      frameSizeMs: AGENT_FRAME_MS,
    });
    for await (const frame of frames) {
      const loud = frame.data.some((sample) => Math.abs(sample) > SILENCE_LEVEL);
      const at = Date.now();
      if (loud) {
        this.#noteSilence(at);
        this.#sound = { firstAt: at, longestSilenceMs: 0, ...this.#sound, lastAt: at };
      }
      if (!waiting) this.emit('frame', loud, at);
    }
  }
}

/** Whether a promise resolves within `ms`; false also when it rejects. */
async function settlesWithin(ms: number, promise: Promise<unknown>): Promise<boolean> {
  const timer = new AbortController();
  const timeout = delay(ms, false, { signal: timer.signal }).catch(() => false);
  const resolved = await Promise.race([
    promise.then(
      () => true,
      () => false,
    ),
    timeout,
  ]);
  timer.abort();
  return resolved;
}

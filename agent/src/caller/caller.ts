// SPDX-License-Identifier: Apache-2.0

import { EventEmitter } from 'node:events';
import {
  AudioFrame,
  AudioSource,
  AudioStream,
  type RemoteParticipant,
  type RemoteTrack,
  Room,
  RoomEvent,
  TrackKind,
} from '@livekit/rtc-node';
import {
  AGENT_STATE_ATTRIBUTE,
  type CallEvent,
  WAITING_LINE_ATTRIBUTE,
} from '../call/call-events.js';
import { leaveRoom } from '../call/leave-room.js';
import { AudioRecorder } from './audio-recorder.js';
import {
  joinRoom,
  type LiveKitAddress,
  publishMicrophone,
  type SipParticipant,
} from './join-room.js';
import { endOfSound, type PcmAudio, SILENCE_LEVEL } from './pcm.js';

/** The sample rate in Hz of a caller without a device of its own, in both directions: the rate that WebRTC uses. */
export const CALLER_RATE = 48_000;
const FRAME_MS = 10;
/** How much audio may wait in the source; a real microphone has no queue. */
const MAX_QUEUED_MS = 30;
/** Pauses between words are shorter; a longer one counts as silence, which began when the sound ended. */
const PAUSE_MS = 300;

/** What somebody calls with. */
export interface CallerDevice {
  /** Sample rate of what is said and heard, in Hz. */
  sampleRate: number;
  /** The participant that a telephone is. Default: one of no special kind. */
  sip?: SipParticipant;
  /** Called before it joins. */
  beforeJoin?(room: Room): void;
  /** What becomes of the samples that leave the caller, and of those that reach it. Default: nothing. */
  send?(samples: Int16Array): Int16Array;
  receive?(samples: Int16Array): Int16Array;
}

export interface CallerOptions {
  /** Record both sides. Default true; use false for many callers at once. */
  record?: boolean;
  /** Default: a microphone and a speaker at CALLER_RATE. */
  device?: CallerDevice;
}

interface CallerEvents {
  /** The agent published an event about the call. */
  callEvent: [CallEvent];
  /** The agent's state in LiveKit: initializing, listening, thinking, speaking. */
  state: [string];
  /** The agent became audible, or silent; `at` in ms since the epoch. */
  sound: [audible: boolean, at: number];
  /** All lines are taken: words and music until an agent comes. */
  waiting: [];
  /** The agent left the room, or the room was closed. */
  left: [];
}

/**
 * A caller: joins a room, sends an uninterrupted microphone track (silence between utterances, as a real
 * microphone does), listens to the agent, and records both sides.
 */
export class Caller extends EventEmitter<CallerEvents> {
  readonly room = new Room();
  readonly #device: CallerDevice;
  readonly #source: AudioSource;
  #utterances: { samples: Int16Array; offset: number; done: (endOfSpeech: number) => void }[] = [];
  #microphone: NodeJS.Timeout | undefined;
  #callerAudio: AudioRecorder | undefined;
  #agentAudio: AudioRecorder | undefined;
  #audible = false;
  #lastSound = 0;
  #state = '';
  #agentIdentity: string | undefined;

  constructor({ record = true, device = { sampleRate: CALLER_RATE } }: CallerOptions = {}) {
    super();
    this.#device = device;
    this.#source = new AudioSource(device.sampleRate, 1, 200);
    if (!record) return;
    this.#callerAudio = new AudioRecorder(device.sampleRate);
    this.#agentAudio = new AudioRecorder(device.sampleRate);
  }

  /** Joins the room `name` and starts the microphone. A new room gets the agent `agentName`, if one is given. */
  async join(
    livekit: LiveKitAddress,
    name: string,
    { identity = 'caller', agentName = '' } = {},
  ): Promise<void> {
    this.room
      .on(RoomEvent.TrackSubscribed, (track, _publication, participant) =>
        this.#receiveTrack(track, participant),
      )
      .on(RoomEvent.ParticipantAttributesChanged, (changed) => {
        const state = changed[AGENT_STATE_ATTRIBUTE];
        if (state) this.#setState(state);
      })
      .on(RoomEvent.ParticipantDisconnected, (participant) => {
        if (participant.identity === this.#agentIdentity) this.emit('left');
      })
      .on(RoomEvent.Disconnected, () => this.emit('left'));
    this.#device.beforeJoin?.(this.room);
    await joinRoom(this.room, livekit, {
      name,
      identity,
      sip: this.#device.sip,
      agentName,
      onCallEvent: (event) => this.emit('callEvent', event),
    });
    await publishMicrophone(this.room, this.#source);
    this.#startMicrophone();
  }

  /** Speaks a recording; resolves when its last sound has been sent, with that time in ms since the epoch. */
  speak(recording: PcmAudio): Promise<number> {
    const samples = recording.samples.subarray(0, endOfSound(recording.samples));
    return new Promise((done) => this.#utterances.push({ samples, offset: 0, done }));
  }

  /** The agent's latest state in LiveKit; '' before the first. */
  get state(): string {
    return this.#state;
  }

  /** Whether the agent is audible now. */
  get audible(): boolean {
    return this.#audible;
  }

  /** When the agent was last audible, in ms since the epoch; 0 if it never was. */
  get lastSound(): number {
    return this.#lastSound;
  }

  /** What the caller sent and what it received, on the call's own timeline, pauses included. */
  get recordings(): { caller: PcmAudio; agent: PcmAudio } {
    const empty = { sampleRate: this.#device.sampleRate, samples: new Int16Array() };
    return {
      caller: this.#callerAudio?.recording() ?? empty,
      agent: this.#agentAudio?.recording() ?? empty,
    };
  }

  async hangUp(): Promise<void> {
    clearTimeout(this.#microphone);
    for (const { done } of this.#utterances.splice(0)) done(Date.now());
    this.removeAllListeners();
    await leaveRoom(this.room);
    await this.#source.close();
  }

  /** Sends frames by the clock: a late timer sends all frames that are due, so that speech keeps its speed. */
  #startMicrophone(): void {
    const start = performance.now();
    let sent = 0;
    const tick = () => {
      const due = Math.floor((performance.now() - start) / FRAME_MS);
      for (; sent < due; sent++) {
        // After a late timer, frames queue in the source and would stay queued for the rest of the call: skip
        // silent frames until the queue is short again.
        if (!this.#utterances[0] && this.#source.queuedDuration > MAX_QUEUED_MS) continue;
        const spoken = this.#nextFrame();
        const samples = this.#device.send?.(spoken) ?? spoken;
        this.#callerAudio?.write(samples, Date.now());
        const frame = new AudioFrame(samples, this.#device.sampleRate, 1, samples.length);
        void this.#source.captureFrame(frame).catch(() => {});
      }
      this.#microphone = setTimeout(tick, FRAME_MS);
    };
    tick();
  }

  #nextFrame(): Int16Array {
    const length = (this.#device.sampleRate * FRAME_MS) / 1000;
    const samples = new Int16Array(length);
    const next = this.#utterances[0];
    if (!next) return samples;
    samples.set(next.samples.subarray(next.offset, next.offset + length));
    next.offset += length;
    if (next.offset >= next.samples.length) {
      this.#utterances.shift();
      next.done(Date.now() + this.#source.queuedDuration);
    }
    return samples;
  }

  #receiveTrack(track: RemoteTrack, participant: RemoteParticipant): void {
    if (track.kind !== TrackKind.KIND_AUDIO) return;
    if (participant.attributes[WAITING_LINE_ATTRIBUTE]) {
      this.emit('waiting');
      return;
    }
    this.#agentIdentity = participant.identity;
    const state = participant.attributes[AGENT_STATE_ATTRIBUTE];
    if (state) this.#setState(state);
    void (async () => {
      const frames = new AudioStream(track, {
        sampleRate: this.#device.sampleRate,
        numChannels: 1,
        frameSizeMs: FRAME_MS,
      });
      for await (const frame of frames) {
        const now = Date.now();
        const samples = this.#device.receive?.(frame.data) ?? frame.data;
        this.#agentAudio?.write(samples, now);
        this.#detectSound(samples, now);
      }
    })().catch(() => {
      // The track was removed before it could be read.
    });
  }

  #detectSound(samples: Int16Array, now: number): void {
    const loud = samples.some((sample) => Math.abs(sample) > SILENCE_LEVEL);
    if (loud) this.#lastSound = now;
    const audible = loud || (this.#audible && now - this.#lastSound < PAUSE_MS);
    if (audible === this.#audible) return;
    this.#audible = audible;
    this.emit('sound', audible, audible ? now : this.#lastSound);
  }

  #setState(state: string): void {
    if (state === this.#state) return;
    this.#state = state;
    this.emit('state', state);
  }
}

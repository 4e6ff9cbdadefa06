// SPDX-License-Identifier: Apache-2.0

import { EventEmitter } from 'node:events';
import {
  AudioFrame,
  AudioSource,
  AudioStream,
  LocalAudioTrack,
  type RemoteParticipant,
  type RemoteTrack,
  Room,
  RoomEvent,
  TrackKind,
  TrackPublishOptions,
  TrackSource,
} from '@livekit/rtc-node';
import { AccessToken } from 'livekit-server-sdk';
import { CALL_EVENTS_TOPIC, type CallEvent } from '../../agent/src/call/call-events.js';
import { endOfSound, type Recording, SILENCE } from '../audio/wav.js';

/** The caller's sample rate in Hz, both ways: WebRTC's own. */
export const CALLER_RATE = 48_000;
const FRAME_MS = 10;
/** How much sound may wait to go out; a microphone has no queue. */
const MOST_QUEUED_MS = 30;
const FRAME_SAMPLES = (CALLER_RATE * FRAME_MS) / 1000;

/** Where a caller calls. */
export interface Line {
  url: string;
  apiKey: string;
  apiSecret: string;
}

interface CallerEvents {
  /** Something that the agent told about the call. */
  feed: [CallEvent];
  /** The agent's state as LiveKit knows it: initializing, listening, thinking, speaking. */
  state: [string];
  /** The agent's audio turned from silence to sound, or back; ms since the epoch. */
  sound: [audible: boolean, at: number];
  /** The agent left the room. */
  left: [];
}

/**
 * Somebody on the phone: joins a room, has a microphone that never stops (silence between the words, like a real
 * one), hears the agent, and keeps what both sides sounded like.
 */
export class Caller extends EventEmitter<CallerEvents> {
  readonly room = new Room();
  #source = new AudioSource(CALLER_RATE, 1, 200);
  #queue: { samples: Int16Array; at: number; done: (endOfSpeech: number) => void }[] = [];
  #microphone: NodeJS.Timeout | undefined;
  #spoken: Tape | undefined;
  #heard: Tape | undefined;
  #audible = false;
  #lastSound = 0;
  #state = '';
  #agent: string | undefined;

  /** @param options.record Keep what both sides sounded like. Default true; false for many callers at once. */
  constructor(options: { record?: boolean } = {}) {
    super();
    if (options.record === false) return;
    this.#spoken = new Tape();
    this.#heard = new Tape();
  }

  /** Joins `room` with a token that is good for it alone, and opens the microphone. */
  async join(line: Line, room: string, identity = 'caller'): Promise<void> {
    const token = new AccessToken(line.apiKey, line.apiSecret, { identity, ttl: '1h' });
    token.addGrant({ room, roomJoin: true, canPublish: true, canSubscribe: true });
    this.room.on(RoomEvent.TrackSubscribed, (track, _publication, participant) =>
      this.#hear(track, participant),
    );
    this.room.on(RoomEvent.ParticipantAttributesChanged, (changed) => {
      const state = changed['lk.agent.state'];
      if (state) this.#setState(state);
    });
    this.room.on(RoomEvent.ParticipantDisconnected, (participant) => {
      if (participant.identity === this.#agent) this.emit('left');
    });
    this.room.on(RoomEvent.Disconnected, () => this.emit('left'));
    this.room.registerTextStreamHandler(CALL_EVENTS_TOPIC, async (reader) => {
      this.emit('feed', JSON.parse(await reader.readAll()) as CallEvent);
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

  /** Speaks a recording; resolves when its last sound has gone out, with that moment in ms since the epoch. */
  speak(recording: Recording): Promise<number> {
    const samples = recording.samples.subarray(0, endOfSound(recording.samples));
    return new Promise((done) => this.#queue.push({ samples, at: 0, done }));
  }

  /** The agent's state as last told. */
  get state(): string {
    return this.#state;
  }

  /** Whether the agent is heard now. */
  get audible(): boolean {
    return this.#audible;
  }

  /** When the agent was last heard, ms since the epoch; 0 for never. */
  get lastSound(): number {
    return this.#lastSound;
  }

  /** What the caller said and what was heard, each on the call's own clock, pauses included. */
  get recordings(): { caller: Recording; agent: Recording } {
    const silence = { sampleRate: CALLER_RATE, samples: new Int16Array() };
    return {
      caller: this.#spoken?.recording() ?? silence,
      agent: this.#heard?.recording() ?? silence,
    };
  }

  async hangUp(): Promise<void> {
    clearTimeout(this.#microphone);
    for (const { done } of this.#queue.splice(0)) done(Date.now());
    this.removeAllListeners();
    await this.room.disconnect();
    await this.#source.close();
  }

  /** Sends 10 ms frames by the clock: a late timer sends what is due, so speech keeps its speed. */
  #openMicrophone(): void {
    const start = performance.now();
    let sent = 0;
    const tick = () => {
      const due = Math.floor((performance.now() - start) / FRAME_MS);
      for (; sent < due; sent++) {
        // After a late timer frames wait in the source's queue, and would for the rest of the call: silence is left
        // out until they have gone.
        if (!this.#queue[0] && this.#source.queuedDuration > MOST_QUEUED_MS) continue;
        const samples = this.#nextFrame();
        this.#spoken?.write(samples, Date.now());
        const frame = new AudioFrame(samples, CALLER_RATE, 1, FRAME_SAMPLES);
        void this.#source.captureFrame(frame).catch(() => {});
      }
      this.#microphone = setTimeout(tick, FRAME_MS);
    };
    tick();
  }

  #nextFrame(): Int16Array {
    const samples = new Int16Array(FRAME_SAMPLES);
    const next = this.#queue[0];
    if (!next) return samples;
    samples.set(next.samples.subarray(next.at, next.at + FRAME_SAMPLES));
    next.at += FRAME_SAMPLES;
    if (next.at >= next.samples.length) {
      this.#queue.shift();
      next.done(Date.now() + this.#source.queuedDuration);
    }
    return samples;
  }

  #hear(track: RemoteTrack, participant: RemoteParticipant): void {
    if (track.kind !== TrackKind.KIND_AUDIO) return;
    this.#agent = participant.identity;
    const state = participant.attributes['lk.agent.state'];
    if (state) this.#setState(state);
    void (async () => {
      const frames = new AudioStream(track, {
        sampleRate: CALLER_RATE,
        numChannels: 1,
        frameSizeMs: FRAME_MS,
      });
      for await (const frame of frames) {
        const now = Date.now();
        this.#heard?.write(frame.data, now);
        this.#listen(frame.data, now);
      }
    })().catch(() => {
      // The track had gone again before it was listened to: then there is nothing to hear.
    });
  }

  #listen(samples: Int16Array, now: number): void {
    const loud = samples.some((sample) => Math.abs(sample) > SILENCE);
    if (loud) this.#lastSound = now;
    // Words have pauses: 300 ms without sound make a silence, which began when the sound ended.
    const audible = loud || (this.#audible && now - this.#lastSound < 300);
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

/** Sound on a clock: frames are placed where they came, so that two tapes of one call line up. */
class Tape {
  readonly #start = Date.now();
  #chunks: Int16Array[] = [];
  #length = 0;

  write(samples: Int16Array, at: number): void {
    const expected = Math.round(((at - this.#start) * CALLER_RATE) / 1000);
    // Up to 60 ms is jitter of timers; more is time in which nothing came.
    if (expected - this.#length > 0.06 * CALLER_RATE)
      this.#push(new Int16Array(expected - this.#length));
    this.#push(samples);
  }

  #push(samples: Int16Array): void {
    this.#chunks.push(Int16Array.from(samples));
    this.#length += samples.length;
  }

  recording(): Recording {
    const samples = new Int16Array(this.#length);
    let at = 0;
    for (const chunk of this.#chunks) {
      samples.set(chunk, at);
      at += chunk.length;
    }
    return { sampleRate: CALLER_RATE, samples };
  }
}

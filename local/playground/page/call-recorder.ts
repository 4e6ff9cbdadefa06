// SPDX-License-Identifier: Apache-2.0

import workletUrl from './call-recorder-worklet.js?url';
import { wav } from './wav.js';

/** Longer calls keep their first half hour: 24 kHz stereo is 5.8 MB a minute. */
const MAX_SECONDS = 30 * 60;

/** Loudest sample of each side since the last time, 0 to 1. */
export interface Levels {
  you: number;
  agent: number;
}

interface TapeEvents {
  level(levels: Levels): void;
  /** The agent's sound began or ended, ms since the epoch. */
  sound(audible: boolean, at: number): void;
}

/** Listens to both sides of a call on one clock: levels, when the agent is heard, and all of it as WAV. */
export class Tape {
  readonly #context: AudioContext;
  readonly #node: AudioWorkletNode;
  readonly #events: TapeEvents;
  #sources: (MediaStreamAudioSourceNode | undefined)[] = [];
  #chunks: Int16Array[] = [];
  #length = 0;
  #rate = 24_000;
  /** Page's clock less the audio thread's, ms: the least seen lately, since messages only come late and clocks drift. */
  #offset = Number.POSITIVE_INFINITY;
  #newer = { least: Number.POSITIVE_INFINITY, since: 0 };

  static async open(events: TapeEvents): Promise<Tape> {
    const context = new AudioContext();
    await context.audioWorklet.addModule(workletUrl);
    await context.resume().catch(() => {});
    return new Tape(context, events);
  }

  private constructor(context: AudioContext, events: TapeEvents) {
    this.#context = context;
    this.#events = events;
    this.#node = new AudioWorkletNode(context, 'tape', { numberOfInputs: 2, numberOfOutputs: 1 });
    // It gives out silence, but a node that leads nowhere is not run.
    this.#node.connect(context.destination);
    this.#node.port.onmessage = ({ data }) => this.#receive(data);
  }

  /** Listens to this track as one of the sides from now on; without a track, to nothing. */
  hear(side: 'you' | 'agent', track: MediaStreamTrack | undefined): void {
    const index = side === 'you' ? 0 : 1;
    this.#sources[index]?.disconnect();
    this.#sources[index] = track && this.#context.createMediaStreamSource(new MediaStream([track]));
    this.#sources[index]?.connect(this.#node, 0, index);
  }

  get seconds(): number {
    return this.#length / 2 / this.#rate;
  }

  /** The call so far: the user on the left, the agent on the right. */
  wav(): Blob {
    return wav(this.#chunks, 2, this.#rate);
  }

  /** Ends the recording; what was recorded stays. */
  stop(): void {
    this.#node.port.onmessage = null;
    for (const source of this.#sources) source?.disconnect();
    void this.#context.close().catch(() => {});
  }

  #receive(data: Message): void {
    if (data.type === 'rate') this.#rate = data.rate;
    else if (data.type === 'tape') {
      if (this.seconds > MAX_SECONDS) return;
      this.#chunks.push(data.samples);
      this.#length += data.samples.length;
    } else if (data.type === 'level') {
      this.#synchronise(data.at);
      this.#events.level({ you: data.peaks[0], agent: data.peaks[1] });
    } else {
      this.#synchronise(data.now);
      this.#events.sound(data.audible, this.#offset + data.at * 1000);
    }
  }

  #synchronise(audioTime: number): void {
    const now = Date.now() - audioTime * 1000;
    if (audioTime - this.#newer.since > 10) {
      if (Number.isFinite(this.#newer.least)) this.#offset = this.#newer.least;
      this.#newer = { least: now, since: audioTime };
    }
    this.#newer.least = Math.min(this.#newer.least, now);
    this.#offset = Math.min(this.#offset, now);
  }
}

type Message =
  | { type: 'rate'; rate: number }
  | { type: 'tape'; samples: Int16Array }
  | { type: 'level'; at: number; peaks: [number, number] }
  | { type: 'sound'; audible: boolean; at: number; now: number };

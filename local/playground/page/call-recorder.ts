// SPDX-License-Identifier: Apache-2.0

import workletUrl from './call-recorder-worklet.js?url';
import { encodeWav } from './encode-wav.js';

/** Only the first half hour is recorded: 24 kHz stereo takes 5.8 MB a minute. */
const MAX_SECONDS = 30 * 60;
/** The offset of the audio clock is estimated again in windows of this length. */
const OFFSET_WINDOW_S = 10;

/** Loudest sample of each side since the last report, 0 to 1. */
export interface Levels {
  you: number;
  agent: number;
}

interface CallRecorderEvents {
  onLevels(levels: Levels): void;
  /** The agent became audible or silent; `at` in ms since the epoch. */
  onSound(audible: boolean, at: number): void;
}

/** Records both sides of a call on one clock, measures levels, and detects when the agent is audible. */
export class CallRecorder {
  readonly #context: AudioContext;
  readonly #node: AudioWorkletNode;
  readonly #events: CallRecorderEvents;
  #sources: (MediaStreamAudioSourceNode | undefined)[] = [];
  #chunks: Int16Array[] = [];
  #length = 0;
  #rate = 24_000;
  /** Page's clock minus the audio thread's, in ms: the recent minimum, as messages arrive late and clocks drift. */
  #offset = Number.POSITIVE_INFINITY;
  #recent = { min: Number.POSITIVE_INFINITY, since: 0 };

  static async open(events: CallRecorderEvents): Promise<CallRecorder> {
    const context = new AudioContext();
    await context.audioWorklet.addModule(workletUrl);
    await context.resume().catch(() => {});
    return new CallRecorder(context, events);
  }

  private constructor(context: AudioContext, events: CallRecorderEvents) {
    this.#context = context;
    this.#events = events;
    this.#node = new AudioWorkletNode(context, 'call-recorder', {
      numberOfInputs: 2,
      numberOfOutputs: 1,
    });
    // Its output is silent, but a node that is not connected does not run.
    this.#node.connect(context.destination);
    this.#node.port.onmessage = ({ data }) => this.#receive(data);
  }

  /** Records this track as one of the sides from now on; without a track, silence. */
  setTrack(side: 'you' | 'agent', track: MediaStreamTrack | undefined): void {
    const index = side === 'you' ? 0 : 1;
    this.#sources[index]?.disconnect();
    this.#sources[index] = track && this.#context.createMediaStreamSource(new MediaStream([track]));
    this.#sources[index]?.connect(this.#node, 0, index);
  }

  get seconds(): number {
    return this.#length / 2 / this.#rate;
  }

  /** The call so far: the user on the left channel, the agent on the right. */
  toWav(): Blob {
    return encodeWav(this.#chunks, 2, this.#rate);
  }

  /** Stops recording; what was recorded is kept. */
  stop(): void {
    this.#node.port.onmessage = null;
    for (const source of this.#sources) source?.disconnect();
    void this.#context.close().catch(() => {});
  }

  #receive(data: WorkletMessage): void {
    if (data.type === 'rate') this.#rate = data.rate;
    else if (data.type === 'samples') {
      if (this.seconds > MAX_SECONDS) return;
      this.#chunks.push(data.samples);
      this.#length += data.samples.length;
    } else if (data.type === 'level') {
      this.#synchronise(data.at);
      this.#events.onLevels({ you: data.peaks[0], agent: data.peaks[1] });
    } else {
      this.#synchronise(data.now);
      this.#events.onSound(data.audible, this.#offset + data.at * 1000);
    }
  }

  #synchronise(audioTime: number): void {
    const now = Date.now() - audioTime * 1000;
    if (audioTime - this.#recent.since > OFFSET_WINDOW_S) {
      if (Number.isFinite(this.#recent.min)) this.#offset = this.#recent.min;
      this.#recent = { min: now, since: audioTime };
    }
    this.#recent.min = Math.min(this.#recent.min, now);
    this.#offset = Math.min(this.#offset, now);
  }
}

type WorkletMessage =
  | { type: 'rate'; rate: number }
  | { type: 'samples'; samples: Int16Array }
  | { type: 'level'; at: number; peaks: [number, number] }
  | { type: 'sound'; audible: boolean; at: number; now: number };

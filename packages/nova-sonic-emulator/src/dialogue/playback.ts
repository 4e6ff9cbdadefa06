// SPDX-License-Identifier: Apache-2.0
import type { Clock } from '../clock.js';
import type { SeededRandom } from '../random.js';
import type { OutputEvents } from './output-events.js';
import { draw, type Profile, type Quirks } from './profile.js';

interface Sentence {
  text: string;
  /** When the listener starts to hear it, and for how long; milliseconds of the clock. */
  from: number;
  durationMs: number;
}

/**
 * What the listener has heard so far. Audio is sent faster than real time, so the emulator models the playback: it
 * decides what counts as interrupted, and which words the FINAL texts contain.
 */
export class Playback {
  private sentences: Sentence[] = [];
  private end = 0;
  private cancelFinal?: () => void;

  constructor(
    private readonly clock: Clock,
    private readonly output: OutputEvents,
    private readonly profile: Profile,
    private readonly random: SeededRandom,
    private readonly quirks: () => Quirks,
  ) {}

  /** True while the listener still hears something. */
  get playing(): boolean {
    return this.clock.now() < this.end;
  }

  /** Adds a sentence whose audio is about to be sent: it plays now, or after what is still playing. */
  add(text: string, durationMs: number): void {
    const from = Math.max(this.clock.now(), this.end);
    this.sentences.push({ text, from, durationMs });
    this.end = from + durationMs;
    this.cancelFinal?.();
    this.cancelFinal = undefined;
  }

  /** The reply is generated: its FINAL texts are due some time after the listener has heard it. */
  scheduleFinalTexts(): void {
    const now = this.clock.now();
    const due = Math.max(this.end, now + draw(this.profile.finalText, this.random));
    this.cancelFinal?.();
    this.cancelFinal = this.clock.after(due - now, () => this.sendFinalTexts());
  }

  /** Sends every sentence as FINAL text; nothing if that was done already. */
  sendFinalTexts(): void {
    this.send(this.sentences.map(({ text }) => text));
  }

  /** After an interruption: sends the words that were heard until now. */
  sendSpokenTexts(): void {
    const now = this.clock.now();
    const spoken = this.sentences.map(({ text, from, durationMs }) =>
      spokenPart(text, (now - from) / durationMs),
    );
    this.send(spoken.filter(Boolean), 'PARTIAL_TURN');
  }

  /** Forgets all sentences: nothing plays any more. */
  clear(): void {
    this.cancelFinal?.();
    this.cancelFinal = undefined;
    this.sentences = [];
    this.end = 0;
  }

  private send(texts: string[], first: 'END_TURN' | 'PARTIAL_TURN' = 'END_TURN'): void {
    this.clear();
    if (this.quirks().noFinalText) return;
    // END_TURN on the first block, PARTIAL_TURN on the rest: the capture's order, which delimits nothing.
    texts.forEach((text, i) => {
      this.output.sendText('ASSISTANT', 'FINAL', text, i === 0 ? first : 'PARTIAL_TURN');
    });
  }
}

/** The words that fit into a share of a sentence's audio. */
export function spokenPart(text: string, share: number): string {
  if (share >= 1) return text;
  if (share <= 0) return '';
  const words = text.split(/\s+/);
  return words.slice(0, Math.floor(words.length * share)).join(' ');
}

// SPDX-License-Identifier: Apache-2.0
import type { Clock } from '../clock.js';
import type { Conversation } from './dialogue.js';
import { draw } from './profile.js';

interface Sentence {
  text: string;
  /** When the listener hears it begin, and for how long; milliseconds of the clock. */
  from: number;
  durationMs: number;
}

/**
 * What the listener has heard so far. Audio is sent faster than real time, so the emulator keeps its own account
 * of the playback: it decides what counts as interrupted, and what the FINAL texts say was really spoken.
 */
export class Playback {
  private sentences: Sentence[] = [];
  private end = 0;
  private cancelFinal?: () => void;

  constructor(
    private readonly clock: Clock,
    private readonly conversation: Conversation,
  ) {}

  /** True while the listener still hears something. */
  get playing(): boolean {
    return this.clock.now() < this.end;
  }

  /** A sentence's audio begins to be sent: it is heard at once, or after what is still playing. */
  add(text: string, durationMs: number): void {
    const from = Math.max(this.clock.now(), this.end);
    this.sentences.push({ text, from, durationMs });
    this.end = from + durationMs;
    this.cancelFinal?.();
    this.cancelFinal = undefined;
  }

  /** The reply is generated: its FINAL texts come some time after the listener has heard it. */
  scheduleFinalTexts(): void {
    const { profile, random } = this.conversation.options;
    const now = this.clock.now();
    const due = Math.max(this.end, now + draw(profile.finalText, random));
    this.cancelFinal?.();
    this.cancelFinal = this.clock.after(due - now, () => this.sendFinalTexts());
  }

  /** What was heard whole; nothing when it was already sent. */
  sendFinalTexts(): void {
    this.send(this.sentences.map(({ text }) => text));
  }

  /** After an interruption: what was heard up to now. */
  sendSpokenTexts(): void {
    const now = this.clock.now();
    const spoken = this.sentences.map(({ text, from, durationMs }) =>
      spokenPart(text, (now - from) / durationMs),
    );
    this.send(spoken.filter(Boolean), 'PARTIAL_TURN');
  }

  /** Drops the account: nothing plays any more. */
  forget(): void {
    this.cancelFinal?.();
    this.cancelFinal = undefined;
    this.sentences = [];
    this.end = 0;
  }

  close(): void {
    this.forget();
  }

  private send(texts: string[], first: 'END_TURN' | 'PARTIAL_TURN' = 'END_TURN'): void {
    this.forget();
    if (this.conversation.options.quirks().noFinalText) return;
    // END_TURN on the first block, PARTIAL_TURN on the rest: the capture's order, which delimits nothing.
    texts.forEach((text, i) => {
      this.conversation.sendText('ASSISTANT', 'FINAL', text, i === 0 ? first : 'PARTIAL_TURN');
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

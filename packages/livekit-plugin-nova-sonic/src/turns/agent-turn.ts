// SPDX-License-Identifier: Apache-2.0

import type { TokenUsage } from '../protocol/server-events.js';
import {
  addTokens,
  type CloseReason,
  type Effect,
  NO_TOKENS,
  type ResponseRecord,
} from './effects.js';

/** One reply of the model, while it is generated and played. */
export interface Generation extends ResponseRecord {
  open: boolean;
  hasText: boolean;
  lastActivity: number;
}

/**
 * A reply still counts as playing for so long after its estimated end: userSpeechStart comes some 370 ms after the
 * speech (capture of Nova 2), and playback lags by network and buffers. Longer, and whoever answers at once, as people
 * do, would be said to have barged in.
 */
const PLAYBACK_MARGIN_MS = 600;
/** A reply in which nothing comes any more is closed before the framework's own 10 s limit cuts it. */
const STALL_MS = 8_000;

/**
 * The agent's side of the conversation: the reply that is being generated, its tokens, and until when it is played.
 * One generation is open at most, and each is closed once. Pure.
 */
export class AgentTurnTracker {
  readonly #newId: (prefix: string) => string;
  readonly #bytesPerMs: number;
  readonly #emit: (effect: Effect) => void;
  #open?: Generation;
  #latest?: Generation;
  #playingUntil = 0;
  #closedAt = 0;
  #tokens: TokenUsage = NO_TOKENS;

  constructor(
    newId: (prefix: string) => string,
    outputSampleRate: number,
    emit: (effect: Effect) => void,
  ) {
    this.#newId = newId;
    this.#bytesPerMs = (outputSampleRate * 2) / 1_000;
    this.#emit = emit;
  }

  /** The reply that has begun and not ended. */
  get open(): Generation | undefined {
    return this.#open;
  }

  /** When the last reply ended (ms since the epoch). */
  get closedAt(): number {
    return this.#closedAt;
  }

  /** No reply is generated, and by estimate none is played. */
  silent(now: number): boolean {
    return !this.#open && now >= this.#playingUntil;
  }

  /** How much of the last reply is still to be played. */
  leftMs(now: number): number {
    return Math.max(0, this.#playingUntil - now);
  }

  /** A reply's audio is arriving or still being played to the caller. */
  playing(now: number): boolean {
    return this.#open !== undefined || now < this.#playingUntil + PLAYBACK_MARGIN_MS;
  }

  /** The reply that the caller hears now, unless it was interrupted. */
  audibleGeneration(now: number): Generation | undefined {
    const reply = this.playing(now) ? (this.#open ?? this.#latest) : undefined;
    return reply?.interrupted ? undefined : reply;
  }

  /** A reply begins. */
  begin(
    now: number,
    answers: Pick<ResponseRecord, 'requestedAt' | 'userSpeechEndedAt' | 'toolWaitMs'>,
    requestId: string | undefined,
  ): Generation {
    const generation: Generation = {
      id: this.#newId('response_'),
      messageId: this.#newId('item_'),
      ...answers,
      openedAt: now,
      audioMs: 0,
      interrupted: false,
      tokens: NO_TOKENS,
      open: true,
      hasText: false,
      lastActivity: now,
    };
    this.#open = generation;
    this.#latest = generation;
    this.#emit({ type: 'generation_opened', response: generation, requestId });
    return generation;
  }

  text(generation: Generation, content: string): void {
    const gap = generation.hasText && !/^\s/.test(content) ? ' ' : '';
    generation.hasText = true;
    this.#emit({ type: 'text', id: generation.id, text: gap + content });
  }

  audio(generation: Generation, content: string, now: number): void {
    const ms = Math.floor((content.length * 3) / 4) / this.#bytesPerMs;
    generation.firstAudioAt ??= now;
    generation.audioMs += ms;
    generation.lastActivity = now;
    this.#playingUntil = Math.max(now, this.#playingUntil) + ms;
    this.#emit({ type: 'audio', id: generation.id, content });
  }

  /** Tokens were used; they count for the reply that closes next. */
  addUsage(delta: TokenUsage): void {
    this.#tokens = addTokens(this.#tokens, delta);
  }

  /** The open reply ends, if there is one. */
  close(reason: CloseReason, now: number): Generation | undefined {
    const generation = this.#open;
    if (!generation) return undefined;
    this.#open = undefined;
    this.#closedAt = now;
    generation.open = false;
    generation.closedAt = now;
    if (reason === 'interrupted' || reason === 'stopped') generation.interrupted = true;
    generation.tokens = this.takeTokens();
    this.#emit({ type: 'generation_closed', response: generation, reason });
    return generation;
  }

  /** What is still to be played is discarded. */
  stopPlayback(now: number): void {
    this.#playingUntil = Math.min(this.#playingUntil, now);
  }

  /** Nothing has arrived for so long that the rest will not arrive either. */
  stalled(now: number): boolean {
    return this.#open !== undefined && now - this.#open.lastActivity > STALL_MS;
  }

  /** Tokens that no reply accounts for. */
  takeTokens(): TokenUsage {
    const tokens = this.#tokens;
    this.#tokens = NO_TOKENS;
    return tokens;
  }
}

// SPDX-License-Identifier: Apache-2.0
import { randomUUID } from 'node:crypto';
import {
  audioInput,
  audioStart,
  type ClientEvent,
  contentEnd,
  promptEnd,
  promptStart,
  sessionEnd,
  sessionStart,
  type TextRole,
  textBlock,
  toolResultBlock,
} from './client-events.js';
import type { SessionConfig } from './session-config.js';

/** One message of the history as it is sent: parts that each fit one textInput. */
export interface WireMessage {
  readonly role: 'USER' | 'ASSISTANT';
  readonly parts: readonly string[];
}

/**
 * For an agent without instructions: the service refuses a stream whose first content is not a system text ("First
 * content must have SYSTEM role", seen by users of several clients; see the emulator's rules for where).
 */
const NO_INSTRUCTIONS = 'You are a helpful voice assistant.';

/** Silence that is sent before anything else: an audio content without bytes can be neither used nor closed. */
export const PRIME_MS = 100;

/**
 * Keeps the events of ONE stream in the order that the service demands: sessionStart, promptStart, system text, speech
 * prompt, history, one audio content that stays open, then anything; and at the end only what was started is ended.
 */
export class ClientEventSequencer {
  readonly promptName = randomUUID();
  readonly #audioName = randomUUID();
  readonly #config: SessionConfig;
  #state: 'new' | 'open' | 'closed' = 'new';
  readonly #toolUses = new Set<string>();

  constructor(config: SessionConfig) {
    this.#config = config;
  }

  /** Everything up to and including the first 100 ms of (silent) audio. Once. */
  opening(system: string, history: readonly WireMessage[]): ClientEvent[] {
    if (this.#state !== 'new') return [];
    this.#state = 'open';
    const { speechPrompt } = this.#config;
    const block = (role: TextRole, parts: readonly string[]) =>
      textBlock(this.promptName, randomUUID(), role, parts, false);
    return [
      sessionStart(this.#config),
      promptStart(this.promptName, this.#config),
      ...block('SYSTEM', [system.trim() ? system : NO_INSTRUCTIONS]),
      ...(speechPrompt ? block('SYSTEM_SPEECH', [speechPrompt]) : []),
      ...history.flatMap(({ role, parts }) => block(role, parts)),
      audioStart(this.promptName, this.#audioName, this.#config.inputSampleRate),
      this.#silence(PRIME_MS),
    ];
  }

  /** The caller's audio, 16-bit little-endian mono samples. */
  audio(pcm: Uint8Array): ClientEvent[] {
    if (this.#state !== 'open') return [];
    const content = Buffer.from(pcm.buffer, pcm.byteOffset, pcm.byteLength).toString('base64');
    return [audioInput(this.promptName, this.#audioName, content)];
  }

  /** Silence of a length. */
  silence(ms: number): ClientEvent[] {
    return this.#state === 'open' ? [this.#silence(ms)] : [];
  }

  /** A user's message that is to be answered. */
  text(parts: readonly string[]): ClientEvent[] {
    if (this.#state !== 'open') return [];
    return textBlock(this.promptName, randomUUID(), 'USER', parts, true);
  }

  /** The service called a tool on this stream: only such a call may be answered here. */
  toolUsed(toolUseId: string): void {
    this.#toolUses.add(toolUseId);
  }

  /** A tool's result; nothing when this stream did not call the tool, or has its result. */
  toolResult(toolUseId: string, content: string): ClientEvent[] {
    if (this.#state !== 'open' || !this.#toolUses.delete(toolUseId)) return [];
    return toolResultBlock(this.promptName, randomUUID(), toolUseId, content);
  }

  /** Ends what was begun, in order. Once; nothing when the stream was never opened. */
  closing(): ClientEvent[] {
    if (this.#state !== 'open') {
      this.#state = 'closed';
      return [];
    }
    this.#state = 'closed';
    return [contentEnd(this.promptName, this.#audioName), promptEnd(this.promptName), sessionEnd()];
  }

  #silence(ms: number): ClientEvent {
    const bytes = Buffer.alloc(Math.round((this.#config.inputSampleRate * ms) / 1000) * 2);
    return audioInput(this.promptName, this.#audioName, bytes.toString('base64'));
  }
}

// SPDX-License-Identifier: Apache-2.0
import type { RollingAudioBuffer } from '../audio/rolling-buffer.js';
import type { Clock } from '../clock.js';
import type { StreamSession } from '../stream/stream-session.js';
import type { Conversation } from '../turns/conversation.js';
import type { LostQuestion } from '../turns/resume-plan.js';
import type { ResumeState } from './resume-state.js';

/** The model reads it as the user's words. */
const RESUME_REPLY =
  '[A noise was taken for my voice and stopped your answer. Give the rest of it, from where you were stopped.]';

interface StreamWriterContext {
  readonly clock: Clock;
  readonly conversation: Conversation;
  readonly resume: ResumeState;
  readonly audioBuffer: RollingAudioBuffer;
  /** When the caller's audio last came (ms since the epoch). */
  readonly lastAudioAt: () => number;
}

/** Writes to a stream what it needs besides the live audio, and records in the conversation what it got. */
export class StreamWriter {
  readonly #context: StreamWriterContext;

  constructor(context: StreamWriterContext) {
    this.#context = context;
  }

  /** Everything that a stream opened for the call needs; nothing waits for the connection. */
  open(stream: StreamSession): void {
    const { resume } = this.#context;
    this.replayAudio(stream, resume.plan?.audioFrom ?? this.#now);
    const { prompt, asks } = resume.plan ?? {};
    if (prompt !== undefined && asks) this.#ask(stream, { prompt, asks });
    this.catchUp(stream);
  }

  /** Tool results and requests that the stream does not have yet. */
  catchUp(stream: StreamSession): void {
    this.#sendOrphanedToolResults(stream);
    this.sendRequests(stream);
  }

  /** The caller's audio from a moment on (ms since the epoch). */
  replayAudio(stream: StreamSession, from: number): void {
    for (const chunk of this.#context.audioBuffer.since(from)) stream.audio(chunk, this.#now);
  }

  /** The texts of requested replies that were not sent yet. */
  sendRequests(stream: StreamSession): void {
    const { conversation } = this.#context;
    for (const { id, text } of [...conversation.unsentRequests]) {
      this.#sendText(stream, text);
      conversation.requestSent(id, this.#now);
    }
  }

  /** Asks again what was to be answered together with words that the caller did not say after all. */
  askLost(stream: StreamSession): void {
    const question = this.#context.conversation.lostQuestion(this.#now);
    if (question) this.#ask(stream, question);
  }

  #ask(stream: StreamSession, { prompt, asks }: LostQuestion): void {
    this.#sendText(stream, prompt);
    this.#context.conversation.askedAgain(this.#now, asks);
  }

  /** Asks for the rest of a reply that the service stopped because of a noise. */
  resumeReply(stream: StreamSession): void {
    this.#sendText(stream, RESUME_REPLY);
    this.#context.conversation.resumeRequested(this.#now);
  }

  /** A tool's result: to the stream that asked for it, or as text (`note`) when that stream is gone. */
  toolResult(
    stream: StreamSession | undefined,
    callId: string,
    content: string,
    note: string,
  ): void {
    const { conversation, resume } = this.#context;
    const now = this.#now;
    const sent = stream?.toolResult(callId, content, now) ?? false;
    const turn = conversation.toolTurn(callId) ?? 0;
    if (!conversation.toolAnswered(callId, now, sent) || sent) return;
    // The model answers each text: results for one question go together.
    resume.addOrphanedToolResult(callId, note, turn, !conversation.toolTurnPending(turn));
    if (stream) this.#sendOrphanedToolResults(stream);
  }

  #sendOrphanedToolResults(stream: StreamSession): void {
    const { conversation, resume } = this.#context;
    const sent = stream.orphanedToolResultsSent;
    const results = resume.takeOrphanedToolResults(stream);
    if (results === undefined) return;
    this.#sendText(stream, results);
    const callIds = [...resume.orphanedCalls].slice(sent, stream.orphanedToolResultsSent);
    conversation.resultsTold(this.#now, callIds);
    if (stream.openedAt !== undefined) resume.confirmOrphanedToolResults(stream);
  }

  #sendText(stream: StreamSession, text: string): void {
    stream.text(text, this.#context.lastAudioAt(), this.#now);
  }

  get #now(): number {
    return this.#context.clock.now();
  }
}

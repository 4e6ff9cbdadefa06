// SPDX-License-Identifier: Apache-2.0
import type { StreamError } from '../protocol/errors.js';
import type { SeededRandom } from '../random.js';
import { Usage, type UsageDelta } from './usage.js';

/** Where a dialogue's events go. */
export interface EventSink {
  /** Sends an output event; the sink adds the ids of session and prompt. */
  emit(name: string, body: Record<string, unknown>): void;
  /** Logs something that is not sent. */
  note(name: string, detail?: Record<string, unknown>): void;
  /** Ends the stream with an exception. */
  fail(error: StreamError): void;
}

/** The output events of one completion, which is the whole session (capture). */
export class OutputEvents {
  private readonly completionId: string;
  private readonly usage = new Usage();
  private completionStarted = false;
  private closed = false;

  constructor(
    private readonly sink: EventSink,
    private readonly random: SeededRandom,
  ) {
    this.completionId = random.uuid();
  }

  /** Sends an event with the completion's id. */
  emit(name: string, body: Record<string, unknown>): void {
    // userSpeechStart and userSpeechEnd belong to no completion.
    const { completionId } = this;
    const ids = name.startsWith('userSpeech') ? {} : { completionId };
    this.sink.emit(name, { ...ids, ...body });
  }

  sendUsage(delta: UsageDelta): void {
    if (!this.closed) this.emit('usageEvent', this.usage.add(delta));
  }

  /** Sends a whole TEXT block. */
  sendText(
    role: 'USER' | 'ASSISTANT',
    stage: 'SPECULATIVE' | 'FINAL',
    content: string,
    stopReason: 'PARTIAL_TURN' | 'END_TURN' | 'INTERRUPTED',
  ): void {
    const contentId = this.random.uuid();
    this.emit('contentStart', {
      additionalModelFields: JSON.stringify({ generationStage: stage }),
      contentId,
      role,
      textOutputConfiguration: { mediaType: 'text/plain' },
      type: 'TEXT',
    });
    this.emit('textOutput', { content, contentId, role });
    this.emit('contentEnd', { contentId, stopReason, type: 'TEXT' });
  }

  /** Sends completionStart, once a session. */
  startCompletion(): void {
    if (this.completionStarted) return;
    this.completionStarted = true;
    this.emit('completionStart', {});
  }

  /** Sends completionEnd if the completion ever started. */
  endCompletion(): void {
    if (this.completionStarted) this.emit('completionEnd', { stopReason: 'END_TURN' });
  }

  /** Stops the usage events. */
  close(): void {
    this.closed = true;
  }
}

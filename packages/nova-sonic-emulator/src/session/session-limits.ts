// SPDX-License-Identifier: Apache-2.0
import type { Clock } from '../clock.js';
import type { Limits } from '../options.js';
import { invalid, StreamError, TEXT } from '../protocol/errors.js';

/** The time limits of one session: the longest connection and the two idle rules. */
export class SessionLimits {
  private readonly stops: (() => void)[];
  private closed = false;
  private lastInput: number;
  private lastInteraction: number;

  /**
   * @param clock already scaled
   * @param expire ends the session
   * @param headers sends the response headers, at the latest now
   */
  constructor(
    private readonly clock: Clock,
    limits: Limits,
    private readonly expire: (error: StreamError) => void,
    headers: () => void,
  ) {
    this.lastInput = clock.now();
    this.lastInteraction = clock.now();
    const timeout = () =>
      expire(
        new StreamError(
          'modelTimeoutException',
          TEXT.connection,
          `the connection is ${limits.connectionSeconds} s old`,
          'connection-length',
        ),
      );
    this.stops = [
      clock.after(limits.connectionSeconds * 1000, timeout),
      clock.after(limits.headersSeconds * 1000, headers),
    ];
    this.watch(limits.audioIdleSeconds, () => this.lastInput, 'audio-idle');
    this.watch(limits.speechIdleSeconds, () => this.lastInteraction, 'speech-idle');
  }

  /** Audio arrived. */
  audio(): void {
    this.lastInput = this.clock.now();
  }

  /** Speech, typed text or a tool result arrived. */
  interaction(): void {
    this.lastInput = this.clock.now();
    this.lastInteraction = this.lastInput;
  }

  close(): void {
    this.closed = true;
    for (const stop of this.stops) stop();
  }

  /** One timer that is rearmed when it fires: cheaper than restarting one at every frame of audio. */
  private watch(seconds: number, last: () => number, rule: 'audio-idle' | 'speech-idle'): void {
    const missing = rule === 'audio-idle' ? 'audio' : 'speech';
    const slot = this.stops.length;
    const arm = () => {
      const left = last() + seconds * 1000 - this.clock.now();
      if (left <= 0) {
        const why = `no ${missing} or interactive content for ${seconds} s`;
        this.expire(invalid(TEXT.idle(seconds), why, rule));
      } else if (!this.closed) this.stops[slot] = this.clock.after(left, arm);
    };
    this.stops.push(() => {});
    arm();
  }
}

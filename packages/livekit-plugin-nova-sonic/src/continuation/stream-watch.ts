// SPDX-License-Identifier: Apache-2.0
import type { CallerVoice } from '../audio/caller-voice.js';
import type { NovaSonicError } from '../protocol/errors.js';
import type { ServerEvent } from '../protocol/server-events.js';
import type { StreamSession } from '../stream/stream-session.js';
import type { Conversation } from '../turns/conversation.js';
import type { Effect, EventTiming } from '../turns/effects.js';
import { sampleTime } from '../turns/user-turn.js';
import { DeafStreamDetector, type Suspicion } from './deaf-stream-detector.js';
import type { RenewalPolicy } from './renewal-policy.js';
import { StalledStreamWatchdog } from './stalled-stream-watchdog.js';

/** What is to be done about a stream that works: most of it means that the call leaves it. */
export type StreamFinding =
  /** It may hear nothing: another stream, opened beside it, has to show that. */
  | { readonly type: 'suspected'; readonly suspicion: Suspicion }
  /** It stopped a reply because of a noise. */
  | { readonly type: 'falsely_interrupted' }
  /** Its time is over. */
  | { readonly type: 'due'; readonly reason: string; readonly how: 'beside' | 'at_once' };

/** A service that sent anything so long after it got a voice has reported the speech, or takes it for none (ms). */
const ALIVE_MS = 3_000;

/** Watches the call's stream: sees each of its events, and is asked every 100 ms what is to be done about it. Pure. */
export class StreamWatch {
  readonly #conversation: Conversation;
  readonly #renewal: RenewalPolicy;
  readonly #progressMs: number;
  readonly #watchdog = new StalledStreamWatchdog();
  readonly #deafness: DeafStreamDetector;
  #startedAt = 0;

  constructor(
    conversation: Conversation,
    renewal: RenewalPolicy,
    voice: CallerVoice,
    progressMs: number,
  ) {
    this.#conversation = conversation;
    this.#renewal = renewal;
    this.#progressMs = progressMs;
    this.#deafness = new DeafStreamDetector(voice);
  }

  /** The call has another stream; with a `suspicion` because the last one may have been deaf. */
  restart(now: number, suspicion?: Suspicion): void {
    this.#watchdog.restart(now);
    this.#startedAt = now;
    if (suspicion) this.#deafness.moved(suspicion, now);
    else this.#deafness.restart(now);
  }

  /** The stream sent an event, which had these effects on the conversation. */
  observe(event: ServerEvent, effects: readonly Effect[], timing: EventTiming): void {
    const { now } = timing;
    this.#watchdog.event(now);
    if (event.type === 'userSpeechStart')
      this.#deafness.began(sampleTime(event.offsetMs, timing), now);
    else if (event.type === 'userSpeechEnd')
      this.#deafness.ended(sampleTime(event.offsetMs, timing), now);
    else if (effects.some(({ type }) => type === 'transcript')) this.#deafness.understood(now);
  }

  /** The next stream could not be opened beside this one: wait before another attempt. */
  standbyFailed(waitMs: number, now: number): void {
    this.#renewal.failed(waitMs, now);
    this.#deafness.postpone(waitMs, now);
  }

  /** The stream has shown since that it hears. */
  refuted(suspicion: Suspicion): boolean {
    return this.#deafness.refuted(suspicion);
  }

  /** Since when there is a voice that the service has not reported, and may not hear (ms since the epoch). */
  unheardSpeech(now: number): number | undefined {
    return this.#deafness.unheardSpeech(this.#conversation.serviceReportsSpeech, now);
  }

  /**
   * The stream is lost: since when there is a voice that it may not have heard, however long ago, unless it has shown since
   * that it works (ms since the epoch).
   */
  lostSpeech(now: number): number | undefined {
    const from = this.#deafness.voiceSince(this.#conversation.heardUntil, now);
    if (from === undefined) return undefined;
    const aliveMs = now - this.#watchdog.sinceEvent(now) - Math.max(from, this.#startedAt);
    return aliveMs > ALIVE_MS ? this.unheardSpeech(now) : from;
  }

  /** Why the stream is dead, if it is; also one that the service has not answered yet. */
  stall(session: StreamSession, now: number): NovaSonicError | undefined {
    return this.#watchdog.detectStall(session, this.#conversation, now, this.#progressMs);
  }

  /** What is to be done about a stream that is up and has no successor yet. */
  inspect(session: StreamSession, now: number): StreamFinding | undefined {
    const conversation = this.#conversation;
    if (conversation.falselyInterrupted(now)) return { type: 'falsely_interrupted' };
    const silentMs = this.#watchdog.sinceEvent(now);
    const suspicion = this.#deafness.suspect(conversation, now, silentMs, this.#progressMs);
    if (suspicion) return { type: 'suspected', suspicion };
    const reason = this.#renewal.due(session, now);
    if (!reason) return undefined;
    const reported = conversation.serviceReportsSpeech;
    const speech = this.#deafness.unreportedSpeech(reported, now) !== undefined;
    const { replying } = conversation;
    const how = this.#renewal.how(session, now, conversation.quiet(now), speech, replying);
    return how && { type: 'due', reason, how };
  }
}

// SPDX-License-Identifier: Apache-2.0
import {
  type DueAnswer,
  joined,
  joinedWithNew,
  type OtherQuestion,
  type ReplyRequest,
  type Subject,
} from './answers.js';

/** An answer that the stream owes; `since`: when it got the question (ms since the epoch). */
type Owed = { readonly since: number } & (
  | { readonly type: 'requested'; readonly request: ReplyRequest }
  /** The one who requested it has gone away: the reply is not played. */
  | { readonly type: 'withdrawn'; readonly id: string }
  | ({ readonly type: 'other' } & DueAnswer)
  /** Its words are answered together with what the model got `before`, and with what was `lost` with an earlier stream. */
  | ({
      readonly type: 'speech';
      readonly before: readonly Owed[];
      readonly lost: readonly DueAnswer[];
    } & DueAnswer)
);

type Requested = Extract<Owed, { type: 'requested' }>;
type Unrequested = Extract<Owed, { type: 'other' | 'speech' }>;

const unrequested = (owed: Owed): owed is Unrequested =>
  owed.type === 'other' || owed.type === 'speech';

const subjectOf = ({ to, callIds, said, cut }: Unrequested): DueAnswer => ({
  to,
  callIds,
  said,
  cut,
});

/** The answer to a text that stands although its asker does not wait for it. */
const released = ({ request: { id, repeats } }: Requested): DueAnswer => ({
  to: 'text',
  ...joined([repeats, { said: [id] }]),
});

/** The service begins an answer to a text within 1.4 s (others' measurements); a busy one may take longer (ms). */
const SETTLED_MS = 4_000;

/**
 * The answers that one stream owes, in the order in which it got the questions. An answer is
 * - begun: a reply begins, and it is the first one's;
 * - merged: the caller speaks before it has begun. What the model got before is held until there are words: then one answer
 *   is for all of it. Without words each has its own again;
 * - lost: the stream is gone before it has begun, or before anything of it was heard. Pure.
 */
export class OwedAnswers {
  readonly #patienceMs: number;
  #due: Owed[] = [];
  /** What the model got before the caller's speech of which there are no words yet. */
  #held: Owed[] = [];
  #begunAt = 0;
  /** The answer that the last reply is. */
  #begun?: Owed;

  /** @param patienceMs an answer that does not begin within this is not expected any more */
  constructor(patienceMs: number) {
    this.#patienceMs = patienceMs;
  }

  get any(): boolean {
    return this.#due.length > 0;
  }

  /** Somebody waits for one. */
  get anyRequested(): boolean {
    return this.#due.some(({ type }) => type === 'requested');
  }

  /** Somebody asked for one, who may have gone away. */
  get anyAsked(): boolean {
    return this.#due.some((owed) => !unrequested(owed));
  }

  /** The requests whose replies are not played. */
  get withdrawn(): string[] {
    return [...this.#held, ...this.#due].flatMap((r) => (r.type === 'withdrawn' ? [r.id] : []));
  }

  /** What is expected besides requests, and what is asked again with these. */
  expected(now: number): DueAnswer[] {
    const inTime = this.#due.filter((r) => !this.#overdue(r, now));
    // While the caller speaks nothing is answered.
    return [...this.#held, ...inTime].flatMap((owed): DueAnswer[] => {
      if (owed.type === 'withdrawn') return [];
      if (unrequested(owed)) return [subjectOf(owed)];
      const { repeats } = owed.request;
      return repeats ? [{ to: 'text', ...joined([repeats]) }] : [];
    });
  }

  /** The text of a request was sent. */
  requested(request: ReplyRequest, now: number): void {
    this.#due = this.#due.filter((r) => !this.#overdue(r, now));
    this.#due.push({ type: 'requested', since: now, request });
  }

  /** The model got the result of a tool, or a text of ours. */
  asked(to: Exclude<OtherQuestion, 'speech'>, since: number, subject: Subject): void {
    this.#due.splice(this.#place(since), 0, { type: 'other', to, since, ...subject });
  }

  /** There are words, the model got them at a time. What was `lost` before is answered with them. */
  spoke(since: number, subject: Partial<Subject>, lost: readonly DueAnswer[]): void {
    const place = this.#place(since);
    const last = this.#due[place - 1];
    // Speech that goes on before its answer is one question.
    const goesOn = last?.type === 'speech' ? [last] : [];
    const before = [...this.#held.splice(0), ...goesOn];
    const subjects = [...lost, ...before.filter(unrequested), subject];
    this.#due.splice(place - goesOn.length, goesOn.length, {
      type: 'speech',
      to: 'speech',
      since,
      ...joinedWithNew(subjects),
      before,
      lost,
    });
  }

  /**
   * The beginning of speech was sent at a time: what comes now answers that, and all that the model got before. Not the time
   * when the caller began: a chunk of audio is sent after its last sample, and a tool may have returned meanwhile.
   */
  callerSpoke(sentAt: number): void {
    const before = (r: Owed) => (unrequested(r) ? r.since < sentAt : r.type === 'withdrawn');
    this.#held.push(...this.#due.filter(before));
    this.#due = this.#due.filter((r) => !before(r));
  }

  /**
   * The caller's sound had no words: what the model got before is answered by itself. `counted`: an answer to it was
   * expected. Returns what was to be answered with the words, as no stream has been asked for it.
   */
  spokeNoWords(counted: boolean): readonly DueAnswer[] {
    const speech = counted ? this.#due.find((r) => r.type === 'speech') : undefined;
    const held = [...this.#held.splice(0), ...(speech?.before ?? [])];
    const due = this.#due.filter((r) => r !== speech);
    this.#due = held.length > 0 ? [...held, ...due].sort((a, b) => a.since - b.since) : due;
    return speech?.lost ?? [];
  }

  /** Nobody wants the reply to a request any more; with `drop` it must not be played either. */
  withdraw(id: string, drop: boolean): void {
    const owed = this.#request(id);
    if (!owed) return;
    const { since, request } = owed;
    if (!drop) this.#replace(owed);
    // The answer to the other question that was asked with it is not lost with it.
    else if (request.repeats)
      this.#replace(owed, { type: 'other', to: 'text', since, ...joined([request.repeats]) });
    else this.#replace(owed, { type: 'withdrawn', since, id });
  }

  /**
   * Its asker has gone away because the caller speaks: it is answered all the same, with the words of that speech or by
   * itself. `sentAt`: when the beginning of the speech was sent. Returns false when the stream does not have the request.
   */
  release(id: string, sentAt: number): boolean {
    const owed = this.#request(id);
    if (!owed) return false;
    const { since } = owed;
    const answer: Owed = { type: 'other', since, ...released(owed) };
    if (since < sentAt) {
      this.#replace(owed);
      this.#held.push(answer);
    } else this.#replace(owed, answer);
    return true;
  }

  /** A reply begins: the id of the request that it answers, if any. */
  begin(now: number): string | undefined {
    this.#begunAt = now;
    const next = this.#due.shift();
    this.#begun = next;
    return next?.type === 'requested' ? next.request.id : undefined;
  }

  /** Nothing was heard of the last reply: its answer is owed as before. The asker has got a reply, and waits no more. */
  unheard(now: number): void {
    const owed = this.#begun;
    this.#begun = undefined;
    if (!owed || owed.type === 'withdrawn') return;
    const answer = unrequested(owed) ? subjectOf(owed) : released(owed);
    this.#due.unshift({ type: 'other', since: now, ...answer });
  }

  /** A reply begins. Returns true when its request was withdrawn. */
  takeWithdrawn(): boolean {
    if (this.#due[0]?.type !== 'withdrawn') return false;
    this.#due.shift();
    return true;
  }

  /**
   * The service has been silent since a time. What it got before its last reply, and has not answered for so long, was
   * answered by that reply: it may answer several questions at once. Returns the ids of such requests.
   */
  silentSince(at: number, now: number): string[] {
    if (now - at < SETTLED_MS) return [];
    const answered = this.#due.filter((r) => r.since < this.#begunAt);
    this.#due = this.#due.filter((r) => !answered.includes(r));
    return answered.flatMap((r) => (r.type === 'requested' ? [r.request.id] : []));
  }

  /** The stream is gone: the requests whose askers still wait, and what else is lost with it. */
  clear(): { readonly requests: ReplyRequest[]; readonly lost: DueAnswer[] } {
    const all = [...this.#held.splice(0), ...this.#due.splice(0)];
    return {
      requests: all.flatMap((r) => (r.type === 'requested' ? [r.request] : [])),
      lost: all.filter(unrequested).map(subjectOf),
    };
  }

  #overdue(owed: Owed, now: number): boolean {
    return unrequested(owed) && now - owed.since >= this.#patienceMs;
  }

  /** Where the answer to a question is that the model got at a time. */
  #place(since: number): number {
    return this.#due.findLastIndex((r) => r.since <= since) + 1;
  }

  #request(id: string): Requested | undefined {
    return this.#due.find((r): r is Requested => r.type === 'requested' && r.request.id === id);
  }

  #replace(owed: Owed, ...by: Owed[]): void {
    this.#due = this.#due.flatMap((r) => (r === owed ? by : [r]));
  }
}

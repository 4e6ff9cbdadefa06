// SPDX-License-Identifier: Apache-2.0

/** What one answer is for. */
interface Subject {
  /** The results of tools, by the ids of the calls. */
  readonly callIds: readonly string[];
  /** What the caller said, by the ids of the history. */
  readonly said: readonly string[];
}

interface ReplyRequest {
  readonly id: string;
  readonly text: string;
  /** Questions whose answers were lost with a stream, to be asked again together with this one. */
  repeats?: Subject & { readonly question: string };
  /** Its asker has gone away: the reply is not played. */
  abandoned: boolean;
  /** When its text was sent (ms since the epoch). */
  since: number;
}

/** What the model answers besides requests: what was said, what a tool returned, a text of ours. */
export type OtherQuestion = 'speech' | 'tool' | 'text';

/** An answer that the model owes. */
export interface DueAnswer extends Subject {
  readonly to: OtherQuestion;
}

interface OtherAnswer extends DueAnswer {
  readonly since: number;
  /** What it answers besides, for which there were to be answers of their own. */
  readonly merged?: readonly Answer[];
  readonly lost?: readonly OtherAnswer[];
}

type Answer = ReplyRequest | OtherAnswer;

const isOther = (answer: Answer): answer is OtherAnswer => 'to' in answer;

const all = (subjects: ReadonlyArray<Partial<Subject>>): Subject => ({
  callIds: subjects.flatMap(({ callIds = [] }) => callIds),
  said: subjects.flatMap(({ said = [] }) => said),
});

/** The service begins an answer to a text within 1.4 s (others' measurements); a busy one may take longer (ms). */
const SETTLED_MS = 4_000;

/**
 * The replies that the model owes, in the order in which it was asked: it answers one question after the other, and no reply
 * says which question it is for. Pure.
 */
export class ReplyRequestQueue {
  readonly #patienceMs: number;
  #unsent: ReplyRequest[] = [];
  #due: Answer[] = [];
  /** What the model got before speech: the answer to its words is for these, too; without words they come by themselves. */
  #merged: Answer[] = [];
  /** Answers that were lost with their stream: the next one to words or to a text of ours is for these, too. */
  #lost: OtherAnswer[] = [];
  /** Requests that were abandoned before their text was sent. */
  #unasked: string[] = [];
  #begunAt = 0;

  /** @param patienceMs an answer that does not begin within this is not expected any more */
  constructor(patienceMs: number) {
    this.#patienceMs = patienceMs;
  }

  /** A reply was requested and has not begun. */
  get waiting(): boolean {
    return this.#unsent.length > 0 || this.#due.some((r) => 'id' in r && !r.abandoned);
  }

  /** A text was sent whose reply has not begun, or was abandoned before it had. */
  get sentWaiting(): boolean {
    return this.#due.some((r) => 'id' in r);
  }

  /** Requests that were abandoned after their text was sent. */
  get withdrawn(): string[] {
    return [...this.#merged, ...this.#due].flatMap((r) => ('id' in r && r.abandoned ? [r.id] : []));
  }

  /** Requests that were abandoned since the last reply began, before their text was sent. */
  get unasked(): readonly string[] {
    return this.#unasked;
  }

  /** What else than requests the model owes an answer to, one for each answer. */
  dueTo(now: number): readonly DueAnswer[] {
    const dueOf = (r: Answer): DueAnswer[] => {
      if ('id' in r)
        return r.repeats === undefined || r.abandoned ? [] : [{ to: 'text', ...all([r.repeats]) }];
      const { since, to, callIds, said } = r;
      return now - since < this.#patienceMs ? [{ to, callIds, said }] : [];
    };
    return [...this.#lost, ...this.#merged, ...this.#due].flatMap(dueOf);
  }

  /** Answers that were lost with their stream, to what no stream has been asked again. */
  get lost(): readonly DueAnswer[] {
    return this.#lost;
  }

  /** There is nothing to ask for. */
  forgetLost(): void {
    this.#lost = [];
  }

  /** The model owes an answer to anything. */
  get anyDue(): boolean {
    return this.#due.length > 0;
  }

  /** Those whose text was not sent on the current stream. */
  get unsent(): ReadonlyArray<{ readonly id: string; readonly text: string }> {
    return this.#unsent.map(({ id, text, repeats }) => ({
      id,
      text: [repeats?.question, text].filter(Boolean).join('\n'),
    }));
  }

  add(id: string, text: string): void {
    const [first] = this.#unsent;
    // Of two texts at once one may stay without an answer.
    const repeats = first?.text === '' ? this.#unsent.shift()?.repeats : undefined;
    this.#unsent.push({ id, text, repeats, abandoned: false, since: 0 });
  }

  /** The text of a request was sent. */
  sent(id: string, now: number): void {
    const request = this.#unsent.find((r) => r.id === id);
    if (!request) return;
    this.#unsent = this.#unsent.filter((r) => r !== request);
    this.#due = this.#due.filter((r) => 'id' in r || now - r.since < this.#patienceMs);
    request.since = now;
    this.#due.push(request);
  }

  /** The model got something else that it answers, at a time: speech, the result of a tool, or a text of ours. */
  owesAnswer(to: OtherQuestion, since: number, subject: Partial<Subject> = {}): void {
    const place = this.#due.findLastIndex((r) => r.since <= since) + 1;
    const before = this.#due[place - 1];
    // Speech that goes on before its answer is one question.
    const goesOn = to === 'speech' && before && 'to' in before && before.to === to;
    const merged = to === 'tool' ? [] : this.#merged.splice(0);
    if (goesOn) merged.push(before);
    const lost = to === 'tool' ? [] : this.#lost.splice(0);
    const answer = {
      to,
      since,
      ...all([...lost, ...merged.filter(isOther), subject]),
      merged,
      lost,
    };
    this.#due.splice(goesOn ? place - 1 : place, goesOn ? 1 : 0, answer);
  }

  /** The request is abandoned; with `drop` its reply must not be played either. */
  cancel(id: string, drop: boolean): void {
    this.#cancelUnsent(id);
    const request = this.#due.find((r): r is ReplyRequest => 'id' in r && r.id === id);
    if (!request) return;
    // The answer to the other question that was asked with it is not lost with it.
    const { repeats, since } = request;
    if (drop && repeats !== undefined)
      this.#due[this.#due.indexOf(request)] = { to: 'text', since, ...all([repeats]) };
    else if (drop) request.abandoned = true;
    else this.#due = this.#due.filter((r) => r !== request);
  }

  /**
   * Its asker has gone away because the caller speaks: it is answered all the same, with the words of that speech or by
   * itself. `sentAt`: when the beginning of the speech was sent. Returns false when the request has no text yet.
   */
  release(id: string, sentAt: number): boolean {
    const request = this.#due.find((r): r is ReplyRequest => 'id' in r && r.id === id);
    if (!request) return false;
    const { since, repeats = {} } = request;
    const answer: OtherAnswer = { to: 'text', since, ...all([repeats, { said: [id] }]) };
    this.#due = this.#due.flatMap((r) => (r !== request ? [r] : since < sentAt ? [] : [answer]));
    if (since < sentAt) this.#merged.push(answer);
    return true;
  }

  /** The caller's sound had no words: what the model got before is answered by itself. `counted`: an answer was expected. */
  spokeNoWords(counted: boolean): void {
    const speech = counted && this.#due.find((r) => isOther(r) && r.to === 'speech' && r.merged);
    if (speech && isOther(speech)) {
      this.#due = this.#due.filter((r) => r !== speech);
      this.#merged.push(...(speech.merged ?? []));
      this.#lost.push(...(speech.lost ?? []));
    }
    if (this.#merged.length === 0) return;
    this.#due = [...this.#merged.splice(0), ...this.#due].sort((a, b) => a.since - b.since);
  }

  /** The other question that was to be asked with it is asked with the next request, or by itself. */
  #cancelUnsent(id: string): void {
    const request = this.#unsent.find((r) => r.id === id);
    if (request) this.#unasked.push(id);
    this.#unsent = this.#unsent.filter((r) => r !== request);
    if (request?.repeats === undefined) return;
    const [next] = this.#unsent;
    if (next) next.repeats = request.repeats;
    else this.#unsent.push({ ...request, id: `${id}-repeats`, text: '' });
  }

  /** A reply begins: the id of the request that it answers, if any. */
  begin(now: number): string | undefined {
    this.#begunAt = now;
    this.#unasked = [];
    const next = this.#due.shift();
    return next && 'id' in next && !next.abandoned ? next.id : undefined;
  }

  /** A reply begins. Returns true when its request was abandoned. */
  takeAbandoned(): boolean {
    const [next] = this.#due;
    if (!next || !('id' in next) || !next.abandoned) return false;
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
    if (answered.length > 0) this.#due = this.#due.filter((r) => !answered.includes(r));
    return answered.flatMap((r) => ('id' in r && !r.abandoned ? [r.id] : []));
  }

  /**
   * The beginning of speech was sent at a time: what comes now answers that, and all that the model got before. Not the time
   * when the caller began: a chunk of audio is sent after its last sample, and a tool may have returned meanwhile.
   */
  callerSpoke(sentAt: number): void {
    const before = (r: Answer) => (isOther(r) ? r.since < sentAt : r.abandoned);
    this.#merged.push(...this.#due.filter(before));
    this.#due = this.#due.filter((r) => !before(r));
  }

  /** The stream is gone, and with it what was sent on it. */
  restart(): void {
    const again = this.#due.filter((r): r is ReplyRequest => 'id' in r && !r.abandoned);
    this.#lost.push(...[...this.#merged.splice(0), ...this.#due].filter(isOther));
    this.#due = [];
    this.#unsent = [...again, ...this.#unsent];
  }

  /** Answers to earlier questions were lost with their stream: these are asked again with the first request. */
  repeat(question: string): void {
    const [first] = this.#unsent;
    if (!first) return;
    first.repeats = { question, ...all([...this.#lost.splice(0), first.repeats ?? {}]) };
  }
}

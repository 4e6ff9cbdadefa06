// SPDX-License-Identifier: Apache-2.0

/** What one answer is for. Empty where that is not known: a reply comes all the same. */
export interface Subject {
  /** The results of tools, by the ids of the calls. */
  readonly callIds: readonly string[];
  /** What the caller said or typed, by the ids of the history. */
  readonly said: readonly string[];
  /** A reply that was cut off with its stream, by its id in the history: its rest is asked for. */
  readonly cut?: string;
}

/** What the model answers besides requests: what was said, what a tool returned, a text of ours. */
export type OtherQuestion = 'speech' | 'tool' | 'text';

/** An answer that the model owes. */
export interface DueAnswer extends Subject {
  readonly to: OtherQuestion;
}

/** A reply that was requested by text. */
export interface ReplyRequest {
  readonly id: string;
  readonly text: string;
  /** Questions whose answers were lost with a stream, which are asked again in front of its text. */
  readonly repeats?: Subject & { readonly question: string };
}

/** One answer for several questions. */
export const joined = (subjects: ReadonlyArray<Partial<Subject> | undefined>): Subject => ({
  callIds: subjects.flatMap((subject) => subject?.callIds ?? []),
  said: subjects.flatMap((subject) => subject?.said ?? []),
  cut: subjects.findLast((subject) => subject?.cut !== undefined)?.cut,
});

/** The same for a caller who said something new, and does not want the rest of an old reply any more. */
export const joinedWithNew = (subjects: ReadonlyArray<Partial<Subject> | undefined>): Subject => ({
  ...joined(subjects),
  cut: undefined,
});

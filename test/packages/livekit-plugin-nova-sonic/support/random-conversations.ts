// SPDX-License-Identifier: Apache-2.0
// Random conversations: the service's events in every legal order, from a seed.

import seedrandom from 'seedrandom';
import * as serverEvents from './server-events.js';

type Json = Record<string, unknown>;

/** One step of a conversation: an event of the service, or something that the test does. */
export type Step =
  | { readonly event: Json; readonly note?: string }
  | { readonly answer: string }
  | { readonly wait: number }
  | { readonly interrupts: number };

export interface Expected {
  /** What each user turn said, in order. */
  readonly users: string[];
  /** What each reply said, in order; replies of which nothing was spoken are left out. */
  readonly replies: Array<{ text: string; interrupted: boolean; index: number }>;
  readonly toolCalls: string[];
}

/** The number of the reply inside its audio, so that a test sees which one is played. */
const tagged = (contentId: string, reply: number): Json => ({
  audioOutput: {
    contentId,
    role: 'ASSISTANT',
    content: Buffer.from(new Int16Array(24 * 80).fill(reply + 1).buffer).toString('base64'),
  },
});

export const replyOf = (content: string): number =>
  Buffer.from(content, 'base64').readInt16LE(0) - 1;

export function shuffledConversation(seed: number): { steps: Step[]; expected: Expected } {
  const random = seedrandom(String(seed));
  const chance = (p: number) => random() < p;
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
  const steps: Step[] = [];
  const expected: Expected = { users: [], replies: [], toolCalls: [] };
  const noise = () => {
    if (chance(0.15)) steps.push({ event: says_usage(random) });
    if (chance(0.08)) steps.push({ event: { somethingNew: { contentId: 'x', text: '?' } } });
    if (chance(0.03)) steps.push({ event: {} });
  };
  const tell = (...events: Json[]) => {
    for (const event of events) {
      steps.push({ event });
      noise();
    }
  };
  const speechEvents = chance(0.75);
  let tools = 0;
  /** FINAL texts that are still to come, as the service likes. */
  let finals: string[][] = [];
  const tellFinals = () => {
    for (const texts of finals) for (const text of texts) tell(...serverEvents.spokenReply(text));
    finals = [];
  };
  const bargedIn = { pending: false };

  if (chance(0.8)) tell(serverEvents.completionStart());
  const turns = 2 + Math.floor(random() * 4);
  for (let turn = 0; turn < turns; turn += 1) {
    // -- the user speaks
    const windows = chance(0.2) ? 2 : 1;
    const said: string[] = [];
    for (let w = 0; w < windows; w += 1) {
      const words = `question ${turn}.${w} of ${seed}`;
      said.push(words);
      if (speechEvents && !(bargedIn.pending && w === 0)) tell(serverEvents.speechStart(100));
      if (w === 0 && chance(0.5)) tellFinals();
      steps.push({ wait: 600 });
      const textFirst = chance(0.3);
      if (textFirst) tell(...serverEvents.userText(words));
      if (speechEvents) tell(serverEvents.speechEnd(400));
      if (!textFirst) tell(...serverEvents.userText(words));
    }
    bargedIn.pending = false;
    expected.users.push(said.join(' '));

    // -- tools
    const calls = chance(0.3) ? (chance(0.3) ? 2 : 1) : 0;
    const ids = Array.from({ length: calls }, () => `use-${seed}-${tools++}`);
    for (const id of ids) {
      expected.toolCalls.push(id);
      tell(...serverEvents.toolUse('look_up', { id }, id));
    }
    steps.push({ wait: 50 });
    for (const id of ids) {
      steps.push({ answer: id });
      noise();
    }
    if (chance(0.3)) tellFinals();

    // -- the reply
    const count = 1 + Math.floor(random() * 3);
    const sentences = Array.from({ length: count }, (_, i) => `Sentence ${turn}.${i} of ${seed}.`);
    const barge = chance(0.35);
    const bargeAt = barge ? Math.floor(random() * (count + 1)) : -1;
    const spokenSentences: string[] = [];
    let over = false;
    let reported = false;
    for (const [i, sentence] of sentences.entries()) {
      if (over) break;
      tell(...serverEvents.plan(sentence));
      spokenSentences.push(sentence);
      const contentId = serverEvents.newContentId();
      tell(serverEvents.audioContentStart(contentId), tagged(contentId, turn));
      if (i === bargeAt) {
        over = true;
        tellBargeIn(contentId, i < count - 1 ? (sentences[i + 1] as string) : undefined);
        break;
      }
      tell(tagged(contentId, turn));
      tell(serverEvents.audioEnd(contentId, i === count - 1 ? 'END_TURN' : 'PARTIAL_TURN'));
      if (i === count - 1 && chance(0.15)) {
        for (const s of sentences) tell(...serverEvents.spokenReply(s));
        reported = true;
      } else if (i === count - 1 && bargeAt < count && chance(0.7)) finals.push([...sentences]);
    }
    if (barge && !over) {
      // All is generated, but still playing.
      tellBargeIn(undefined, undefined);
      over = true;
      finals = [];
    }
    if (!over) steps.push({ wait: 4_000 });

    function tellBargeIn(openContent: string | undefined, next: string | undefined): void {
      const signs = ['speech', 'text', 'stop'].filter(() => chance(0.5));
      if (!speechEvents) signs.splice(signs.indexOf('speech') >>> 0, 1);
      if (signs.length === 0)
        signs.push(speechEvents ? pick(['speech', 'text', 'stop']) : pick(['text', 'stop']));
      if (chance(0.3)) signs.reverse();
      const partial = spokenSentences.length > 0 && !reported && chance(0.6);
      // Without speech events a stop reason needs a block to be on.
      for (const [k, sign] of signs.entries()) {
        if (k === 0) steps.push({ interrupts: turn });
        if (sign === 'speech') {
          tell(serverEvents.speechStart(200));
          bargedIn.pending = true;
          if (openContent && signs.length === 1 && next && chance(0.5)) {
            // The rest of the reply is still on its way.
            const late = serverEvents.newContentId();
            tell(tagged(openContent, turn), serverEvents.audioEnd(openContent, 'PARTIAL_TURN'));
            tell(
              ...serverEvents.plan(next),
              serverEvents.audioContentStart(late),
              tagged(late, turn),
              serverEvents.audioEnd(late, 'PARTIAL_TURN'),
            );
          } else if (openContent && k === 0) tell(tagged(openContent, turn));
        } else if (sign === 'text') {
          tell(
            ...serverEvents.interruptedText(
              pick(['{ "interrupted" : true }', '{"interrupted":true}']),
              pick(['INTERRUPTED', 'PARTIAL_TURN']),
            ),
          );
        } else if (openContent) {
          tell(serverEvents.audioEnd(openContent, 'INTERRUPTED'));
        } else tell(...serverEvents.interruptedText('{"interrupted": true}', 'INTERRUPTED'));
      }
      finals = finals.filter(() => false);
      if (partial) {
        const spoken = (spokenSentences[0] as string).slice(0, 12);
        tell(...serverEvents.spokenReply(spoken));
        expected.replies.push({ text: spoken, interrupted: true, index: turn });
      } else
        expected.replies.push({ text: spokenSentences.join(' '), interrupted: true, index: turn });
      if (chance(0.3) && openContent) tell(tagged(openContent, turn));
    }
    if (!over)
      expected.replies.push({ text: sentences.join(' '), interrupted: false, index: turn });
  }
  tellFinals();
  if (chance(0.5)) tell({ completionEnd: { stopReason: 'END_TURN' } });
  return { steps, expected };
}

const says_usage = (random: () => number): Json => ({
  usageEvent: {
    details: {
      delta: {
        input: { speechTokens: Math.floor(random() * 50), textTokens: 1 },
        output: { speechTokens: 20, textTokens: 0 },
      },
    },
  },
});

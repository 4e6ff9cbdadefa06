// SPDX-License-Identifier: Apache-2.0
// One conversation from a seed, in virtual time: questions that are spoken and typed, over each other and over replies,
// tools, handoffs and failures. Returns what did not hold.
import seedrandom from 'seedrandom';
import type { InterruptSigns } from './simulated-sonic.js';
import { VirtualCall } from './virtual-call.js';

const DELAYS_MS = [0, 20, 60, 150];
/** What happens after a question. */
const NEXT = ['handoff', 'interrupt', 'listen', 'listen', 'go on', 'go on', 'go on'] as const;
const SIGNS: InterruptSigns[] = ['both', 'text', 'stop-reason', 'runs-on'];

/** Between two questions of a long call. */
const LONGEST_PAUSE_MS = 30_000;
interface Question {
  readonly n: number;
  readonly typed: boolean;
}

export interface ConverseOptions {
  /** As long as a call lasts, with pauses and a microphone that is never silent. Default: a few questions. */
  minutes?: number;
  /** Sees the call at its end. */
  inspect?: (call: VirtualCall, questions: number, failures: number) => void;
}

/** @returns what did not hold */
export async function converse(seed: number, options: ConverseOptions = {}): Promise<string[]> {
  const random = seedrandom(`conversation ${seed}`);
  const { random: chance } = Math;
  // The pauses between the plugin's attempts to connect are random, too.
  Math.random = random;
  try {
    return await play(seed, random, options);
  } finally {
    Math.random = chance;
  }
}

async function play(
  seed: number,
  random: () => number,
  { minutes, inspect }: ConverseOptions,
): Promise<string[]> {
  const chance = (p: number) => random() < p;
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
  const delayMs = pick(DELAYS_MS);
  const call = new VirtualCall({
    network: { delayMs, jitterMs: delayMs / 3 },
    random,
    signs: pick(SIGNS),
    ...(minutes && { model: { inputChunkMs: 200 } }),
  });
  await call.open();
  const startedAt = call.clock.now();
  const goesOn = (n: number) =>
    minutes ? call.clock.now() - startedAt < minutes * 60_000 : n <= turns;
  if (minutes) call.openMicrophone();
  const questions: Question[] = [];
  const fails = chance(0.3);
  let failures = 0;
  let spoken = 0;
  /** A generation shows the question, also where its sound was cut before it was heard. */
  const known = new Set<number>();
  const answered = ({ n }: Question) => {
    const told = () => call.heard.some((h) => new RegExp(`q${n}\\b`).test(h.text));
    if (!known.has(n) && (call.abandoned.has(n) || told())) known.add(n);
    return known.has(n);
  };
  const settled = () => call.until(() => questions.every(answered) && !call.speaking);

  const turns = 4 + Math.floor(random() * 5);
  for (let n = 1; goesOn(n); n += 1) {
    if (minutes) await call.run(random() * LONGEST_PAUSE_MS);
    const question = { n, typed: chance(0.5) };
    const tool = chance(0.25);
    questions.push(question);
    if (question.typed) await call.type(n, tool);
    else {
      spoken += 1;
      await call.speak(n, { tool });
      // A pause, or it would be one speech with the next.
      await call.run(1_000 + 2 * delayMs);
    }
    const next = pick(NEXT);
    if (fails && chance(minutes ? 0.05 : 0.3)) {
      failures += 1;
      await call.run(random() * 1_500);
      if (chance(0.3)) call.sonic.refuse = 1;
      const error = Object.assign(new Error('broken'), { name: 'ModelStreamErrorException' });
      call.sonic.current?.fail(error);
      await settled();
      await call.run(3_000);
    } else if (next === 'handoff') {
      await settled();
      await call.run(2_000);
      await call.handoff();
    } else if (next === 'interrupt') {
      await call.run(random() * 2_000);
      await call.interrupt();
    } else if (next === 'listen') {
      await settled();
      await call.run(1_500);
    } else await call.run(random() * 2_500);
  }
  await settled();
  await call.run(8_000);

  const wrong: string[] = [];
  const check = (holds: boolean, what: string) => {
    if (!holds) wrong.push(`seed ${seed}: ${what}`);
  };
  for (const question of questions) {
    const { n, typed } = question;
    check(answered(question), `question ${n} has no answer`);
    const audible = call.heard.filter((h) => h.audio.includes(n));
    check(audible.length <= 1 + failures, `question ${n} is answered ${audible.length} times`);
    if (typed && !call.abandoned.has(n) && failures === 0) {
      const own = call.heard.filter((h) => h.asked === n);
      check(own.length === 1, `typed question ${n} has ${own.length} replies of its own`);
      check(
        own.every((h) => h.audio.every((a) => a === n)),
        `typed question ${n} has another one's answer`,
      );
    }
  }
  for (const n of call.abandoned) {
    // What the service makes of a text before speech that follows it at once is its own affair.
    const spokenNext = questions.some((next) => next.n === n + 1 && !next.typed);
    const heard = call.heard.some((h) => h.audio.includes(n));
    // What a tool has done is told.
    check(
      spokenNext || !heard || call.lookedUp.has(`q${n}`),
      `withdrawn question ${n} is answered aloud`,
    );
  }
  for (const [callId, runs] of call.toolRuns)
    check(runs === 1, `tool call ${callId} ran ${runs} times`);
  for (const h of call.heard)
    check(
      new Set(h.audio).size <= 1,
      `two answers in one reply: ${[...new Set(h.audio)]} (${h.text})`,
    );
  if (failures === 0) {
    check(call.errors.length === 0, `errors: ${call.errors.join('; ')}`);
    check(call.speechStarts === spoken, `${call.speechStarts} speeches told of ${spoken}`);
  }
  check(call.bargeIns <= spoken + failures, `${call.bargeIns} barge-ins told, ${spoken} speeches`);
  check(call.model.openSessions === 1, `${call.model.openSessions} sessions are open`);
  check(call.sonic.limitsReached === 0, `${call.sonic.limitsReached} streams reached a limit`);
  inspect?.(call, questions.length, failures);
  await call.close();
  check(call.sonic.current === undefined, 'a stream is left open');
  return wrong;
}

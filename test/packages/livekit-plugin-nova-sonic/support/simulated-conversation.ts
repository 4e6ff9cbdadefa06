// SPDX-License-Identifier: Apache-2.0
// One conversation from a seed, in virtual time: questions that are spoken and typed, over each other and over replies,
// tools, handoffs, renewals, changed tools and instructions, and failures. Returns what did not hold.
import seedrandom from 'seedrandom';
import type { InterruptSigns, Tools } from './simulated-sonic.js';
import { VirtualCall } from './virtual-call.js';

const DELAYS_MS = [0, 20, 60, 150];
/** What happens after a question. */
const NEXT = [
  ...['handoff', 'interrupt', 'renew', 'update', 'update'],
  ...['listen', 'listen', 'go on', 'go on', 'go on', 'go on'],
] as const;
const UPDATES = ['tools', 'instructions', 'context'] as const;
/** A renewal takes two round trips, and the debounce of changes 50 ms: what follows within this falls into it. */
const RENEWAL_MS = 500;
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
export const converse = (seed: number, options: ConverseOptions = {}): Promise<string[]> =>
  seeded(`conversation ${seed}`, (random) => play(seed, random, options));

/**
 * A session that is closed at any moment: while it connects, speaks, runs tools, is renewed or has lost its stream.
 * @returns what did not hold
 */
export const hangUp = (seed: number): Promise<string[]> =>
  seeded(`hang up ${seed}`, (random) => playUntilClosed(seed, random));

async function seeded(
  seed: string,
  run: (random: () => number) => Promise<string[]>,
): Promise<string[]> {
  const random = seedrandom(seed);
  const { random: chance } = Math;
  // The pauses between the plugin's attempts to connect are random, too.
  Math.random = random;
  try {
    return await run(random);
  } finally {
    Math.random = chance;
  }
}

const broken = (name = 'ModelStreamErrorException') => Object.assign(new Error('broken'), { name });

/** How a stream fails: the connection is lost, an exception, no answer to anything, no ear for what is said. */
const FAILURES = [
  ...['lost', 'ModelStreamErrorException', 'ThrottlingException', 'InternalServerException'],
  ...['left', 'hung', 'deaf'],
];
/** Sounds without words that the service takes for speech, in so many calls and after so many of their questions. */
const COUGHING = 0.3;
const COUGHS = 0.4;
const COUGH_MS = [300, 400, 600];
/** From the beginning of speech to the first sound of its answer, besides the speech itself. */
const UNTIL_ANSWER_MS = 2_200;
/** These go unnoticed where nothing else waits for an answer: shorter speech than this may have been a noise. */
const MISSING = ['hung', 'deaf'];
const MISSED_MS = 1_500;

/** The call's stream fails, or is left at once. */
function failStream(call: VirtualCall, how: string): void {
  const { session, sonic } = call;
  if (how === 'left') void session.renew({ immediately: true });
  else if (how === 'hung') sonic.current?.hang();
  else if (how === 'deaf') sonic.current?.deafen();
  else sonic.current?.fail(how === 'lost' ? undefined : broken(how));
}

async function playUntilClosed(seed: number, random: () => number): Promise<string[]> {
  const delayMs = DELAYS_MS[Math.floor(random() * DELAYS_MS.length)] as number;
  const call = new VirtualCall({ network: { delayMs, jitterMs: delayMs / 3 }, random });
  const opened = call.open();
  if (random() < 0.8) await opened;
  for (let n = 1; n <= random() * 6; n += 1) {
    const tools = Math.floor(random() * 3) as Tools;
    const what = Math.floor(random() * 7);
    if (what <= 1) await call.type(n, tools);
    else if (what === 2) await call.speak(n, { tools });
    else if (what === 3) await call.update(UPDATES[n % UPDATES.length] as (typeof UPDATES)[number]);
    else if (what === 4) void call.session.renew({ immediately: random() < 0.5 });
    else if (what === 5) call.sonic.current?.fail(broken());
    else void call.interrupt();
    await call.run(random() * 1_500);
  }
  const errors = call.errors.length;
  void call.interrupt();
  let closed = false;
  void call.session.close().then(() => {
    closed = true;
  });
  const told = call.heard.length;
  // Also for the tools and the loudspeaker of the simulation.
  await call.run(15_000);
  await opened;
  const wrong: string[] = [];
  const check = (holds: boolean, what: string) => {
    if (!holds) wrong.push(`seed ${seed}: ${what}`);
  };
  check(closed, 'close() does not resolve');
  check(call.sonic.current === undefined, 'a stream is left open');
  check(call.unsettled === 0, `${call.unsettled} generateReply() never settle`);
  check(call.heard.length === told, `${call.heard.length - told} replies after the end`);
  check(
    call.heard.every(({ done }) => done),
    'a generation is left open',
  );
  check(call.errors.length === errors, `errors after the end: ${call.errors.slice(errors)}`);
  check(call.clock.pending === 0, `${call.clock.pending} timers are left`);
  check(call.model.openSessions === 0, 'the model has an open session');
  return wrong;
}

async function play(
  seed: number,
  random: () => number,
  { minutes, inspect }: ConverseOptions,
): Promise<string[]> {
  const chance = (p: number) => random() < p;
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
  const delayMs = pick(DELAYS_MS);
  // From a seed of its own, so that the other conversations stay what they are.
  const coughing = seedrandom(`coughs ${seed}`)() < COUGHING;
  const call = new VirtualCall({
    network: { delayMs, jitterMs: delayMs / 3 },
    random,
    coughIsVoice: coughing && chance(0.5),
    signs: pick(SIGNS),
    model: {
      chatCtxUpdates: pick(['next-stream', 'renew'] as const),
      ...(minutes && { inputChunkMs: 200 }),
    },
  });
  await call.open();
  const startedAt = call.clock.now();
  const goesOn = (n: number) =>
    minutes ? call.clock.now() - startedAt < minutes * 60_000 : n <= turns;
  if (minutes) call.openMicrophone();
  const questions: Question[] = [];
  const fails = chance(0.3);
  let failures = 0;
  /** Streams that were left while something was said or answered. */
  let cuts = 0;
  let spoken = 0;
  /** A generation shows the question, also where the caller interrupted it before it was heard. */
  const known = new Set<number>();
  const withdrawn = (n: number) => call.abandoned.has(n) && !call.standing.has(n);
  const answered = ({ n }: Question) => {
    const told = () =>
      call.heard.some(
        ({ text, audio, interrupted }) =>
          (audio.length > 0 || interrupted) && new RegExp(`q${n}\\b`).test(text),
      );
    // A request that no stream could be opened for in time has failed, and its asker knows.
    const failed = () => withdrawn(n) || call.refused.has(n);
    if (!known.has(n) && (failed() || told())) known.add(n);
    return known.has(n);
  };
  const settled = () => call.until(() => questions.every(answered) && !call.speaking);

  /**
   * A stream fails at any moment from the first word of a question to the first sound of its answer. Returns whether it stays
   * open and misses what is said.
   */
  const failInSpeech = (ms: number) => {
    failures += 1;
    cuts += 1;
    const how = pick(FAILURES.filter((name) => ms >= MISSED_MS || !MISSING.includes(name)));
    const fail = () => {
      if (chance(0.3)) call.sonic.refuse = chance(0.5) ? 1 : 2;
      failStream(call, how);
    };
    const at = random() * (ms + UNTIL_ANSWER_MS + 2 * delayMs);
    call.clock.after(at, fail);
    const waits = MISSING.includes(how);
    if (!chance(0.3)) return waits;
    // The next stream fails, too, perhaps before it has heard anything.
    cuts += 1;
    call.clock.after(at + random() * 2_000, () => failStream(call, pick(FAILURES.slice(0, 5))));
    return waits;
  };
  /** A stream that misses what is said is noticed by this question, or else is lost before the next one. */
  const noticed = async () => {
    await settled();
    await call.run(3_000);
    if (call.sonic.current?.useless) call.sonic.current.fail();
  };

  const turns = 4 + Math.floor(random() * 5);
  for (let n = 1; goesOn(n); n += 1) {
    if (minutes) await call.run(random() * LONGEST_PAUSE_MS);
    const question = { n, typed: chance(0.5) };
    const tools = pick<Tools>([0, 0, 0, 0, 0, 0, 1, 1, 2]);
    questions.push(question);
    if (question.typed) await call.type(n, tools);
    else {
      spoken += 1;
      const ms = pick([600, 600, 600, 1_500, 3_000]);
      const inSpeech = fails && chance(minutes ? 0.1 : 0.4);
      const missing = inSpeech && failInSpeech(ms);
      await call.speak(n, { tools, ms });
      // A pause, or it would be one speech with the next.
      await call.run(1_000 + 2 * delayMs);
      if (missing) await noticed();
    }
    if (coughing && chance(COUGHS)) {
      spoken += 1;
      await call.run(random() * 2_500);
      const ms = pick(COUGH_MS);
      if (fails && chance(0.5)) failInSpeech(ms);
      await call.cough(ms);
      await call.run(1_000 + 2 * delayMs);
    }
    const next = pick(NEXT);
    if (fails && chance(minutes ? 0.05 : 0.3)) {
      failures += 1;
      cuts += 1;
      await call.run(random() * 1_500);
      if (chance(0.3)) call.sonic.refuse = 1;
      call.sonic.current?.fail(broken());
      await settled();
      await call.run(3_000);
    } else if (next === 'handoff') {
      await settled();
      await call.run(2_000);
      await call.handoff();
    } else if (next === 'renew') {
      await call.run(random() * 2_000);
      const immediately = chance(0.3);
      if (immediately) cuts += 1;
      void call.session.renew({ immediately });
      await call.run(random() * RENEWAL_MS);
    } else if (next === 'update') {
      await call.run(random() * 2_000);
      for (let i = chance(0.5) ? 2 : 1; i > 0; i -= 1) {
        await call.update(pick(UPDATES));
        await call.run(random() * RENEWAL_MS);
      }
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

  // A cough is replayed to the next stream, as no words were found in it.
  const replays = coughing ? call.renewals : 0;

  const wrong: string[] = [];
  const check = (holds: boolean, what: string) => {
    if (!holds) wrong.push(`seed ${seed}: ${what}`);
  };
  for (const question of questions) {
    const { n, typed } = question;
    check(answered(question), `question ${n} has no answer`);
    const audible = call.heard.filter((h) => h.audio.includes(n));
    // What was cut is finished on the next stream, and what a cough stopped is continued.
    const cut = audible.filter((h) => h.cut || (coughing && h.interrupted)).length;
    check(audible.length <= 1 + cut, `question ${n} is answered ${audible.length} times`);
    if (typed && !call.abandoned.has(n) && cuts === 0) {
      const own = call.heard.filter((h) => h.asked === n);
      check(own.length === 1, `typed question ${n} has ${own.length} replies of its own`);
      check(
        own.every((h) => h.audio.every((a) => a === n)),
        `typed question ${n} has another one's answer`,
      );
    }
  }
  // What a tool has done is told.
  const dropped = (n: number) => withdrawn(n) && !call.lookedUp.has(`q${n}`);
  for (const n of call.abandoned) {
    // What the service makes of a text before speech that follows it at once is its own affair.
    const spokenNext = questions.some((other) => !other.typed && other.n === n + 1);
    // One reply may answer it together with a question that stands: that answer is not lost with it.
    const alone = ({ text }: { text: string }) =>
      [...text.matchAll(/q(\d+)/g)].every((m) => dropped(Number(m[1])));
    const heard = call.heard.some((h) => h.audio.includes(n) && alone(h));
    check(spokenNext || !heard, `withdrawn question ${n} is answered aloud`);
  }
  for (const [callId, runs] of call.toolRuns)
    check(runs === 1, `tool call ${callId} ran ${runs} times`);
  for (const h of call.heard)
    check(
      new Set(h.audio).size <= 1,
      `two answers in one reply: ${[...new Set(h.audio)]} (${h.text})`,
    );
  if (failures === 0) check(call.errors.length === 0, `errors: ${call.errors.join('; ')}`);
  if (cuts === 0)
    check(
      call.speechStarts >= spoken && call.speechStarts <= spoken + replays,
      `${call.speechStarts} speeches told of ${spoken}`,
    );
  check(
    call.bargeIns <= spoken + cuts + replays,
    `${call.bargeIns} barge-ins told, ${spoken} speeches`,
  );
  check(call.model.openSessions === 1, `${call.model.openSessions} sessions are open`);
  check(call.sonic.limitsReached === 0, `${call.sonic.limitsReached} streams reached a limit`);
  const asked = call.session.chatCtx.items.flatMap((item) =>
    item.type === 'message' && item.role === 'user' ? [item.textContent ?? ''] : [],
  );
  for (const { n } of questions) {
    const times = asked.join(' ').match(new RegExp(`q${n}\\b`, 'g'))?.length ?? 0;
    check(times === 1, `question ${n} is in the history ${times} times`);
  }
  inspect?.(call, questions.length, failures);
  await call.close();
  check(call.sonic.current === undefined, 'a stream is left open');
  return wrong;
}

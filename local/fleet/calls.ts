// SPDX-License-Identifier: Apache-2.0

import type { Fleet, Offer } from './fleet.js';
import type { Answer } from './light-caller.js';
import type { RemoteCaller } from './remote-caller.js';

/** How long a caller waits for an agent before the call is offered again. */
const OFFER_MS = 5_000;

/** What became of one call. */
export interface CallResult {
  caller: RemoteCaller;
  /** How often it was offered until a worker took it; more than once: it was refused. */
  offers: number;
  /** When it was first offered, and when the offer was made that was taken; ms since the epoch. */
  offeredAt: number;
  takenAt: number;
  /** From the offer that was taken to the agent in the room. */
  joinedMs: number;
  greeting?: Answer;
  answers: Answer[];
  /** Questions that got no answer. */
  unanswered: number;
  endedAt: number;
}

export interface CallPlan {
  /** Questions asked in each call. */
  turns: number;
  /** Milliseconds for which a refused call is offered again. */
  patienceMs: number;
  /** The caller stays on the line until this has come about. */
  stayUntil?: Promise<unknown>;
  onChange?: (state: 'offered' | 'refused' | 'talking' | 'done', caller: RemoteCaller) => void;
}

/** Offers a call until a worker takes it; undefined when none does. */
export async function connect(
  fleet: Fleet,
  caller: RemoteCaller,
  plan: CallPlan,
): Promise<CallResult | undefined> {
  const first = Date.now();
  for (let offers = 1; ; offers++) {
    plan.onChange?.('offered', caller);
    const offer = await fleet.offer(caller);
    const joined = await untilTaken(caller, offer);
    if (joined !== undefined) {
      plan.onChange?.('talking', caller);
      return {
        caller,
        offers,
        offeredAt: first,
        takenAt: offer.at,
        joinedMs: joined - offer.at,
        answers: [],
        unanswered: 0,
        endedAt: 0,
      };
    }
    await offer.withdraw();
    plan.onChange?.('refused', caller);
    if (Date.now() - first > plan.patienceMs) return undefined;
  }
}

/** When the agent joined; undefined when the offer was refused. */
async function untilTaken(caller: RemoteCaller, offer: Offer): Promise<number | undefined> {
  const joined = await caller.untilAgent(OFFER_MS);
  if (joined !== undefined || !(await offer.taken())) return joined;
  return caller.untilAgent(20_000);
}

/** Hears the greeting and asks the questions; does not hang up. */
export async function talk(fleet: Fleet, call: CallResult, plan: CallPlan): Promise<void> {
  const greeting = await call.caller.listen(call.takenAt);
  if (greeting) call.greeting = greeting;
  for (let turn = 0; turn < plan.turns; turn++) {
    const answer = await call.caller.ask(fleet.question);
    if (answer) call.answers.push(answer);
    else call.unanswered += 1;
  }
}

/** One call from the offer to the end. */
export async function call(
  fleet: Fleet,
  caller: RemoteCaller,
  plan: CallPlan,
): Promise<CallResult | undefined> {
  const result = await connect(fleet, caller, plan);
  if (result) {
    await talk(fleet, result, plan);
    await plan.stayUntil;
    result.endedAt = Date.now();
  }
  await fleet.hangUp([caller]);
  plan.onChange?.('done', caller);
  return result;
}

// SPDX-License-Identifier: Apache-2.0

import type { HeardAnswer } from './light-caller.js';
import type { RemoteCaller } from './remote-caller.js';
import type { Fleet, Offer } from './worker-fleet.js';

/** How long a caller waits for an agent before the call is offered again. */
const OFFER_MS = 5_000;
/** How long the agent of an accepted call may take to join. */
const JOIN_MS = 20_000;
/** How long the agent may take to say something about keys; it need not. */
const KEYS_HEARD_MS = 8_000;

export interface CallResult {
  caller: RemoteCaller;
  /** How often the call was offered until a worker took it; more than once if it was rejected. */
  offers: number;
  /** When it was first offered, and when the offer was made that was taken; ms since the epoch. */
  offeredAt: number;
  takenAt: number;
  /** From the offer that was taken until the agent was in the room. */
  joinedMs: number;
  greeting?: HeardAnswer;
  answers: HeardAnswer[];
  /** Questions without an answer. */
  unanswered: number;
  endedAt: number;
}

export interface CallPlan {
  /** Questions in each call. */
  turns: number;
  /** Keys that are pressed after the greeting, as on a telephone. */
  digits?: string;
  /** How long a rejected call is offered again, in ms. */
  patienceMs: number;
  /** A caller without an agent stays in the waiting line. Default: it withdraws the call and offers it again. */
  waits?: boolean;
  /** The caller stays in the call until this resolves. */
  stayUntil?: Promise<unknown>;
  onChange?: (state: 'offered' | 'rejected' | 'talking' | 'done', caller: RemoteCaller) => void;
}

/** Makes one call, from the offer to the end; undefined when no worker took it. */
export async function placeCall(
  fleet: Fleet,
  caller: RemoteCaller,
  plan: CallPlan,
): Promise<CallResult | undefined> {
  const result = await offerUntilTaken(fleet, caller, plan);
  if (result) {
    await askQuestions(fleet, result, plan);
    await plan.stayUntil;
    result.endedAt = Date.now();
  }
  await fleet.hangUp([caller]);
  plan.onChange?.('done', caller);
  return result;
}

async function offerUntilTaken(
  fleet: Fleet,
  caller: RemoteCaller,
  plan: CallPlan,
): Promise<CallResult | undefined> {
  const first = Date.now();
  for (let offers = 1; ; offers++) {
    plan.onChange?.('offered', caller);
    const offer = await fleet.offer(caller);
    const joined = await waitUntilTaken(caller, offer, plan.waits ? plan.patienceMs : OFFER_MS);
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
    plan.onChange?.('rejected', caller);
    if (Date.now() - first > plan.patienceMs) return undefined;
  }
}

/** When the agent joined; undefined when the offer was rejected. */
async function waitUntilTaken(
  caller: RemoteCaller,
  offer: Offer,
  ms: number,
): Promise<number | undefined> {
  const joined = await caller.waitForAgent(ms);
  if (joined !== undefined || !(await offer.taken())) return joined;
  return caller.waitForAgent(JOIN_MS);
}

/** Listens to the greeting and asks the questions; does not hang up. */
async function askQuestions(fleet: Fleet, call: CallResult, plan: CallPlan): Promise<void> {
  const greeting = await call.caller.listen(call.takenAt);
  if (greeting) call.greeting = greeting;
  if (plan.digits) {
    await call.caller.press(plan.digits);
    await call.caller.listen(Date.now(), KEYS_HEARD_MS);
  }
  for (let turn = 0; turn < plan.turns; turn++) {
    const answer = await call.caller.ask(fleet.question);
    if (answer) call.answers.push(answer);
    else call.unanswered += 1;
  }
}

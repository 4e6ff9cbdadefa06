// SPDX-License-Identifier: Apache-2.0

// Tools for assistant.ts to offer to the model. Each answers the model with what it should tell the caller when it fails.

import { llm, log, type voice, workflows } from '@livekit/agents';
import { z } from 'zod';
import type { PhoneCall } from './phone-call.js';

/** Numbers by the name under which the model knows them. */
export type PhoneDestinations = Readonly<Record<string, string>>;

/** What the agent says before must be heard; longer is no announcement. */
const ANNOUNCEMENT_MS = 10_000;
/** Longest time on hold, in seconds. */
const MAX_HOLD_S = 300;
/** How long the destination of a warm transfer may ring, in seconds. */
const RINGING_S = 30;

const NO_PHONE = 'This is not a telephone call, so it cannot be done. Say so, and help otherwise.';

export interface TransferToolOptions {
  /** Where callers can be transferred to. The model can name these only: it never dials a number that somebody says. */
  destinations: PhoneDestinations;
  /** Seconds that the destination may ring. Default: 30. */
  ringingTimeout?: number;
}

/**
 * Transfers the caller to one of the destinations and ends the agent's part (a cold transfer). When it fails, the
 * caller is still with the agent, who says why.
 */
export function transferCallTool(phone: PhoneCall | undefined, options: TransferToolOptions) {
  const { destinations, ringingTimeout } = options;
  return llm.tool({
    description:
      'Transfers the caller to a person and leaves the call. First tell the caller in a few words that you are transferring them.',
    parameters: z.object({ destination: destinationOf(destinations) }),
    execute: async ({ destination }, { ctx }) => {
      if (!phone) return { error: NO_PHONE };
      await announced(ctx);
      const result = await phone.transfer(destinations[destination] ?? '', {
        ...(ringingTimeout && { ringingTimeout }),
      });
      if (result.ok) return { transferred: true };
      return {
        error: `${result.message} The caller is still on the line with you: tell them, and offer other help.`,
      };
    },
  });
}

export interface WarmTransferToolOptions
  extends TransferToolOptions,
    Pick<workflows.WarmTransferTaskOptions, 'holdAudio' | 'instructions'> {
  /** LiveKit's id of the outbound trunk, like `ST_…`. */
  trunkId: string;
  /** Longest time in seconds that the caller waits while the agent talks to the person. Default: 300. */
  consultTimeout?: number;
  /** Makes the task; for tests. Default: the framework's `createWarmTransferTask`. */
  createTask?: typeof workflows.createWarmTransferTask;
}

/**
 * Calls one of the destinations, tells who answers what it is about while the caller hears music, and connects the two
 * (the framework's `WarmTransferTask`). The agent then leaves. LiveKit's server must be able to move participants
 * between rooms: LiveKit Cloud can.
 */
export function warmTransferTool(phone: PhoneCall | undefined, options: WarmTransferToolOptions) {
  const { destinations, trunkId, ringingTimeout = RINGING_S, holdAudio, instructions } = options;
  const { consultTimeout = MAX_HOLD_S } = options;
  const createTask = options.createTask ?? workflows.createWarmTransferTask;
  return llm.tool({
    description:
      'Calls a person, tells them what the caller wants, and connects them with the caller, who hears music meanwhile. First tell the caller in a few words that you are getting somebody.',
    parameters: z.object({ destination: destinationOf(destinations) }),
    execute: async ({ destination }, { ctx }) => {
      if (!phone) return { error: NO_PHONE };
      await announced(ctx);
      try {
        const task = createTask({
          sipCallTo: destinations[destination] ?? '',
          sipTrunkId: trunkId,
          chatCtx: ctx.session.history,
          // Somebody who answers and says nothing must not keep the caller on hold for ever.
          abortSignal: AbortSignal.timeout((ringingTimeout + consultTimeout) * 1_000),
          ringingTimeout: ringingTimeout * 1_000,
          // Sonic cannot speak a given text: it greets the person in its own words.
          greetingSpeech: (session) =>
            session.generateReply({
              instructions:
                'Greet the person who answered, say that you have a caller on the line, and what it is about.',
            }),
          callerHangupSpeech: (session) =>
            session.generateReply({
              instructions: 'Say in one short sentence that the caller has hung up, and goodbye.',
            }),
          ...(holdAudio !== undefined && { holdAudio }),
          ...(instructions && { instructions }),
        });
        await task.run();
      } catch (error) {
        log().warn({ error }, 'warm transfer failed');
        return {
          error:
            'Nobody could take the call. The caller is still on the line with you: tell them, and offer other help.',
        };
      }
      phone.connected();
      return { connected: true };
    },
  });
}

/** Presses keys on the telephone line, as for the menu of a machine that was called. */
export function sendDigitsTool(phone: PhoneCall | undefined) {
  return llm.tool({
    description:
      'Presses keys on the telephone, as for a menu of a machine at the other end, or an extension.',
    parameters: z.object({
      digits: z.string().describe('0 to 9, *, #; w waits for half a second, as in 1w2#'),
    }),
    execute: async ({ digits }) => {
      if (!phone) return { error: NO_PHONE };
      const result = await phone.sendDigits(digits);
      return result.ok
        ? { sent: true }
        : { error: `The keys could not be pressed: ${result.message}` };
    },
  });
}

/** Lets the caller wait with music for as long as the model says. */
export function holdCallTool(phone: PhoneCall | undefined) {
  return llm.tool({
    description:
      'Puts the caller on hold: they hear music and you hear nothing until the time is over. First tell the caller how long it takes.',
    parameters: z.object({
      seconds: z.number().min(1).max(MAX_HOLD_S).describe('how long, in seconds'),
    }),
    execute: async ({ seconds }, { ctx }) => {
      if (!phone) return { error: NO_PHONE };
      await announced(ctx);
      try {
        await phone.hold(seconds * 1_000);
      } catch (error) {
        log().warn({ error }, 'hold failed');
        return { error: 'The caller could not be put on hold. They hear you: go on with them.' };
      }
      return { onHoldForSeconds: seconds, next: 'Thank the caller for waiting, and go on.' };
    },
  });
}

function destinationOf(destinations: PhoneDestinations) {
  const names = Object.keys(destinations);
  const [first, ...others] = names;
  if (first === undefined)
    throw new Error(
      'A transfer tool needs at least one destination: give `destinations` a number.',
    );
  return z.enum([first, ...others]).describe('where to');
}

/** What the agent said before the tool has been heard. */
async function announced(ctx: voice.RunContext): Promise<void> {
  const timeout = new Promise<void>((resolve) => {
    setTimeout(resolve, ANNOUNCEMENT_MS).unref();
  });
  await Promise.race([ctx.waitForPlayout(), timeout]).catch(() => {});
}

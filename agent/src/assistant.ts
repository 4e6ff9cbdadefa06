// SPDX-License-Identifier: Apache-2.0

// THE file to edit: who the agent is, what it says first, and what it can do.
// `assistant` is called once for each call, so each call may differ.

import { llm } from '@livekit/agents';
import { convert, type Unit } from 'convert';
import { z } from 'zod';
import type { NoiseCancellation } from './call/noise-cancellation.js';
import type { IdleOptions } from './call/watch-idle-caller.js';
import { endCall } from './job/end-call-tool.js';
import type { AnsweringMachineOptions } from './phone/answering-machine.js';
import type { KeypadOptions } from './phone/listen-to-keypad.js';
import type { PhoneCall } from './phone/phone-call.js';

/** What is known about a call before it starts. */
export interface Call {
  /** Name of the LiveKit room. */
  room: string;
  caller: {
    identity: string;
    /** Display name; for a phone call through LiveKit SIP, usually the number. */
    name: string;
    /** Attributes that the token or SIP gave the caller, like `sip.phoneNumber`. */
    attributes: Record<string, string>;
    metadata: string;
  };
  /** The telephone, when it is a phone call: direction, numbers, status, and what the tools of phone/phone-tools.ts need. */
  phone?: PhoneCall;
  /** Metadata of the dispatch: parsed JSON, or the text itself if it is not JSON; '' without metadata. */
  metadata: unknown;
}

/** How the agent behaves in one call. */
export interface Assistant {
  /** The system prompt. Ask for short sentences: the replies are spoken. */
  instructions: string;
  /** A voice of the model, like tiffany or matthew. Default: NOVA_SONIC_VOICE, else tiffany. */
  voice?: string;
  /** Instructions for the agent's first reply. Without them the caller speaks first. */
  greeting?: string;
  tools?: llm.ToolContextLike;
  /**
   * Whether the greeting of a call that was placed is made while the phone rings, so that it is heard at once when it is
   * answered. Such a call has one of Bedrock's streams while it rings. Default: true.
   */
  prepareWhileRinging?: boolean;
  /** What happens when the caller presses keys. Default: a sequence that # or a pause ends is told to the model. */
  keypad?: KeypadOptions;
  /** What to do when a machine answers a call that was placed. Default: the agent talks to it. */
  answeringMachine?: AnsweringMachineOptions;
  /** What takes the noise out of the caller's audio: `rnnoise`, or LiveKit's own option. Default: NOISE_CANCELLATION. */
  noiseCancellation?: NoiseCancellation;
  /** When the agent asks whether a silent caller is still there, and when it ends the call. */
  idle?: IdleOptions;
}

export function assistant(call: Call): Assistant {
  const name = call.caller.name && call.caller.name !== call.caller.identity && call.caller.name;
  return {
    instructions: [
      'You are a friendly assistant on the phone.',
      'Answer in one or two short sentences, in the language of the caller.',
      'Use the tools for the time of day and for conversions; never guess these.',
      name ? `The caller is ${name}.` : '',
    ].join(' '),
    greeting: 'Greet the caller in one short sentence and ask how you can help.',
    tools: { get_current_time: currentTime, convert_units: convertUnits, end_call: endCall },
  };
}

const currentTime = llm.tool({
  description: 'The current local time in a large city.',
  parameters: z.object({ city: z.string().describe('Name of the city, in English, like Tokyo') }),
  execute: async ({ city }) => {
    const wanted = city.trim().toLowerCase().replace(/\s+/g, '_');
    const timeZone = Intl.supportedValuesOf('timeZone').find(
      (zone) => zone.split('/').at(-1)?.toLowerCase() === wanted,
    );
    // The model explains the error to the caller; of an exception it would only learn that something failed.
    if (!timeZone) return { error: `No time zone is named after ${city}; try the next big city.` };
    const format = (options: Intl.DateTimeFormatOptions) =>
      new Intl.DateTimeFormat('en-US', { timeZone, ...options }).format(new Date());
    return {
      city,
      time: format({ hour: 'numeric', minute: '2-digit' }),
      day: format({ weekday: 'long' }),
      timeZone,
    };
  },
});

const convertUnits = llm.tool({
  description: 'Converts an amount from one unit of measure to another, like 5 miles to km.',
  parameters: z.object({
    amount: z.number(),
    from: z.string().describe('Unit of the amount, singular or symbol: mile, kg, fahrenheit'),
    to: z.string().describe('Unit wanted, singular or symbol: km, pound, celsius'),
  }),
  execute: async ({ amount, from, to }) => {
    try {
      const result = convert(amount, from as Unit).to(to as Unit) as number;
      return { amount, from, result: Number(result.toPrecision(6)), to };
    } catch {
      return { error: `I cannot convert ${from} to ${to}.` };
    }
  },
});

// SPDX-License-Identifier: Apache-2.0

import './command/silence-warnings.js';
import { Command, InvalidArgumentError } from 'commander';
import pc from 'picocolors';
import { dialPhone } from '../agent/src/phone/dial-phone.js';
import { isEntryPoint, logStatus, runCommand } from './command/run-command.js';
import { findService, type ServiceOptions } from './phone/find-service.js';
import { explainLiveKitError } from './phone/livekit-errors.js';
import { parsePhoneNumber } from './phone/phone-number.js';

interface DialFlags extends ServiceOptions {
  trunk: string;
  from?: string;
  metadata?: string;
  digits?: string;
  ringing: number;
  room?: string;
  hideNumber?: boolean;
}

/** The options of `npm run dial`; nothing runs before they are parsed. */
export function createProgram(): Command {
  return new Command('npm run dial --')
    .description(
      'Calls a telephone and lets the agent talk to whoever answers, through an outbound trunk of LiveKit (npm run phone -- outbound). Ends when the phone was answered (exit code 0) or was not (1); the call goes on without it.',
    )
    .argument('<number>', 'number to call, like +15551234567', phoneNumber)
    .requiredOption('--trunk <id>', "LiveKit's id of the outbound trunk, like ST_…", trunkId)
    .option(
      '--from <number>',
      "number that the call comes from (default: the trunk's)",
      phoneNumber,
    )
    .option('--metadata <text>', 'metadata of the dispatch, for assistant.ts')
    .option('--digits <keys>', 'keys to press when it is answered; w waits half a second', keys)
    .option('--ringing <seconds>', 'how long it may ring', seconds, 30)
    .option('--room <name>', 'name of the room (default: a new one)')
    .option('--hide-number', 'keep the number from the agent and its logs')
    .option(
      '--stack <name>',
      'a deployed stack (default: LIVEKIT_URL and its key from the environment)',
    )
    .option('--region <region>', 'Region of the stack (default: that of your AWS configuration)')
    .option('--profile <profile>', 'profile of your AWS configuration')
    .option(
      '--agent-name <name>',
      "the agent's name (default: the stack's, else LIVEKIT_AGENT_NAME)",
    );
}

/** Dials. @returns the exit code */
export async function dial(number: string, flags: DialFlags, env = process.env): Promise<number> {
  const { livekit, agentName } = await findService(flags, env);
  if (flags.metadata !== undefined && !agentName)
    throw new Error(
      'Metadata reaches an agent by its name only: give --agent-name, or leave out --metadata.',
    );
  logStatus(`dialing, for up to ${flags.ringing} s`);
  const { trunk, from, digits, ringing, metadata, room, hideNumber } = flags;
  const call = await dialPhone(livekit, {
    number,
    trunkId: trunk,
    agentName,
    ringingTimeout: ringing,
    ...(from && { fromNumber: from }),
    ...(digits && { digits }),
    ...(metadata !== undefined && { metadata }),
    ...(room && { room }),
    ...(hideNumber && { hideNumber }),
  }).catch((error) => {
    throw explainLiveKitError(error, livekit.url);
  });
  if (call.answered) {
    process.stdout.write(`${pc.green('answered')}  room ${call.room}, SIP call ${call.callId}\n`);
    return 0;
  }
  const { reason, sipStatus, message } = call.failure;
  const status = sipStatus ? `, SIP ${sipStatus}` : '';
  process.stdout.write(`${pc.red('not answered')}  ${message} (${reason}${status})\n`);
  return 1;
}

function phoneNumber(text: string): string {
  try {
    return parsePhoneNumber(text);
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}

function trunkId(text: string): string {
  if (!/^ST_\w+$/.test(text))
    throw new InvalidArgumentError('Give the id of the trunk, like ST_…: npm run phone shows it.');
  return text;
}

function keys(text: string): string {
  if (!/^[0-9*#A-Dw]+$/.test(text))
    throw new InvalidArgumentError('Keys are 0 to 9, *, #, A to D, and w for half a second.');
  return text;
}

function seconds(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 180)
    throw new InvalidArgumentError(
      'Give whole seconds from 1 to 180, after which the SIP service gives up.',
    );
  return value;
}

if (isEntryPoint(import.meta.url)) {
  const program = createProgram();
  program.action((number: string, flags: DialFlags) => runCommand(() => dial(number, flags)));
  await program.parseAsync();
}

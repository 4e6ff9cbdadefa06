// SPDX-License-Identifier: Apache-2.0

import './command/silence-warnings.js';
import { Command, InvalidArgumentError, Option } from 'commander';
import { SipClient } from 'livekit-server-sdk';
import pc from 'picocolors';
import { checked } from './command/checked.js';
import { isEntryPoint, runCommand } from './command/run-command.js';
import type { DispatchRuleSettings } from './phone/dispatch-rule.js';
import { findService, type ServiceOptions } from './phone/find-service.js';
import type { InboundTrunkSettings } from './phone/inbound-trunk.js';
import { explainLiveKitError } from './phone/livekit-errors.js';
import type { OutboundTrunkSettings } from './phone/outbound-trunk.js';
import { parsePhoneNumber } from './phone/phone-number.js';
import { PhoneSetup } from './phone/phone-setup.js';
import { changeText, findProblems, stateText } from './phone/report.js';
import { ENCRYPTIONS, TRANSPORTS } from './phone/trunk-settings.js';

interface CommonOptions extends ServiceOptions {
  name?: string;
  dryRun?: boolean;
}

interface InboundFlags extends CommonOptions {
  number?: string[];
  from?: string[];
  caller?: string[];
  username?: string;
  encryption?: keyof typeof ENCRYPTIONS;
  roomPrefix?: string;
  hideNumber?: boolean;
}

interface OutboundFlags extends CommonOptions {
  number?: string[];
  address?: string;
  transport?: keyof typeof TRANSPORTS;
  username?: string;
  encryption?: keyof typeof ENCRYPTIONS;
}

interface RemoveFlags extends CommonOptions {
  only?: 'inbound' | 'outbound';
}

const DEFAULT_NAME = 'voice-agent';
/** A value of a repeatable flag that takes a restriction away. */
const ANY = 'any';

type Run = (command: () => Promise<number>) => Promise<void> | void;

/**
 * The options of `npm run phone`; nothing runs before they are parsed.
 * @param run What a parsed command is given to
 */
export function createProgram(run: Run = () => {}): Command {
  const program = new Command('npm run phone --')
    .description(
      "Connects telephone numbers with the agent: makes, changes and shows SIP trunks and the dispatch rule through LiveKit's API. Doing it twice changes nothing. It only sets up LiveKit; docs/telephone.md says what to do at the provider of the numbers.",
    )
    .addHelpCommand(false);

  program
    .command('show', { isDefault: true })
    .description('Shows the trunks and the rule, and what keeps calls from the agent (default)')
    // A misspelled command arrives here as an argument of the default one.
    .allowExcessArguments()
    .allowUnknownOption()
    .action((flags: CommonOptions, command: Command) => {
      const [unknown] = command.args;
      if (unknown === undefined) return run(() => show(flags));
      const names = program.commands.map((one) => one.name()).join(', ');
      return command.error(
        unknown.startsWith('-')
          ? `error: unknown option '${unknown}'`
          : `error: there is no command "${unknown}", only ${names}.`,
      );
    });

  const inboundCommand = program
    .command('inbound')
    .description(
      'Calls to your numbers reach the agent: makes or changes the inbound trunk and the dispatch rule. What is not given stays as it is.',
    )
    .option('--number <number...>', 'your numbers, like +15551234567', number)
    .option(
      '--from <address...>',
      `addresses that calls may come from, like 203.0.113.0/24; "${ANY}" for all (default: all)`,
      listValue,
    )
    .option(
      '--caller <number...>',
      `numbers that may call; "${ANY}" for all (default: all)`,
      (text: string, before?: string[]) =>
        text === ANY ? listValue(text, before) : number(text, before),
    )
    .option(
      '--username <name>',
      'user name that the provider sends, with the password in SIP_PASSWORD; "" for none (default: none)',
    )
    .addOption(encryption())
    .option('--room-prefix <text>', 'how the names of the rooms begin (default: call-)')
    .option('--hide-number', "keep the callers' numbers from the agent and its logs")
    .option('--no-hide-number', "tell the agent the callers' numbers (default)")
    .action((flags: InboundFlags) => run(() => inbound(flags)));

  const outboundCommand = program
    .command('outbound')
    .description(
      'The agent can call telephones: makes or changes the outbound trunk. What is not given stays as it is.',
    )
    .option('--number <number...>', 'your numbers that calls come from, like +15551234567', number)
    .option('--address <host>', "the provider's SIP address, like example.pstn.twilio.com", host)
    .option(
      '--username <name>',
      'user name at the provider, with the password in SIP_PASSWORD; "" for none (default: none)',
    )
    .addOption(
      new Option('--transport <protocol>', 'how the provider is reached (default: auto)').choices(
        Object.keys(TRANSPORTS),
      ),
    )
    .addOption(encryption())
    .action((flags: OutboundFlags) => run(() => outbound(flags)));

  const removeCommand = program
    .command('remove')
    .description('Removes the trunks and the rule from LiveKit, or only those for one direction')
    .addOption(
      new Option('--only <direction>', 'remove only one direction').choices([
        'inbound',
        'outbound',
      ]),
    )
    .action((flags: RemoveFlags) => run(() => remove(flags)));

  for (const command of [inboundCommand, outboundCommand, removeCommand])
    command.option('--dry-run', 'show what would change, and change nothing');
  for (const command of program.commands) addServiceOptions(command);
  return program;
}

function addServiceOptions(command: Command): void {
  command
    .option(
      '--stack <name>',
      'deployed stack whose LiveKit server and agent are meant (default: LIVEKIT_URL, LIVEKIT_API_KEY, LIVEKIT_API_SECRET)',
    )
    .option(
      '--region <region>',
      'Region of the stack (default: the Region of your AWS configuration)',
    )
    .option('--profile <profile>', 'profile of your AWS configuration')
    .option(
      '--agent-name <name>',
      'agent that takes the calls (default: that of the stack, or LIVEKIT_AGENT_NAME)',
    )
    .option(
      '--name <name>',
      `name of the trunks and the rule in LiveKit (default: the stack, else the agent, else ${DEFAULT_NAME})`,
    );
}

const encryption = () =>
  new Option(
    '--encryption <mode>',
    'encryption of the audio to the provider (default: disable)',
  ).choices(Object.keys(ENCRYPTIONS));

async function show(flags: CommonOptions): Promise<number> {
  return withSetup(flags, async (setup, agentName) => {
    const state = await setup.read();
    process.stdout.write(`${stateText(state, setup.name)}\n`);
    const problems = findProblems(state, agentName);
    for (const problem of problems) process.stdout.write(`${pc.red(problem)}\n`);
    if (!state.ownInbound && !state.ownOutbound)
      process.stdout.write(
        '`npm run phone -- inbound --help` and `outbound --help` say how to connect a number.\n',
      );
    return problems.length > 0 ? 1 : 0;
  });
}

async function inbound(flags: InboundFlags): Promise<number> {
  const settings: InboundTrunkSettings & DispatchRuleSettings = {
    ...trunkSettings(flags),
    ...(flags.from && { allowedAddresses: withoutAny(flags.from) }),
    ...(flags.caller && { allowedNumbers: withoutAny(flags.caller) }),
    ...(flags.roomPrefix !== undefined && { roomPrefix: flags.roomPrefix }),
    ...(flags.hideNumber !== undefined && { hidePhoneNumber: flags.hideNumber }),
  };
  return withSetup(flags, async (setup) => {
    const isNew = await setup.setInbound(settings);
    if (isNew && !flags.dryRun)
      process.stdout.write(
        "Now let your provider send calls to LiveKit's SIP address: docs/telephone.md says where.\n",
      );
    return 0;
  });
}

async function outbound(flags: OutboundFlags): Promise<number> {
  const settings: OutboundTrunkSettings = {
    ...trunkSettings(flags),
    ...(flags.address && { address: flags.address }),
    ...(flags.transport && { transport: flags.transport }),
  };
  return withSetup(flags, async (setup) => {
    await setup.setOutbound(settings);
    return 0;
  });
}

async function remove(flags: CommonOptions & { only?: 'inbound' | 'outbound' }): Promise<number> {
  return withSetup(flags, async (setup) => {
    const any = await setup.remove(flags.only ?? 'all');
    if (!any) process.stdout.write('There is nothing to remove.\n');
    return 0;
  });
}

async function withSetup(
  flags: CommonOptions,
  act: (setup: PhoneSetup, agentName: string) => Promise<number>,
): Promise<number> {
  const { livekit, agentName } = await findService(flags);
  const { url, apiKey, apiSecret } = livekit;
  const client = new SipClient(url.replace(/^ws/, 'http'), apiKey, apiSecret);
  const dryRun = flags.dryRun ?? false;
  const setup = new PhoneSetup(client, {
    name: flags.name ?? flags.stack ?? (agentName || DEFAULT_NAME),
    agentName,
    dryRun,
    onChange: (change) => process.stdout.write(`${changeText(change, dryRun)}\n`),
  });
  try {
    return await act(setup, agentName);
  } catch (error) {
    throw explainLiveKitError(error, url);
  }
}

function trunkSettings({ number: numbers, username, encryption }: InboundFlags | OutboundFlags) {
  // Never as a flag: other users of the machine would see it, and the shell would remember it.
  const password = process.env.SIP_PASSWORD;
  return {
    ...(numbers && { numbers }),
    ...(username !== undefined && { username }),
    ...(password && { password }),
    ...(encryption && { encryption }),
  };
}

const withoutAny = (values: string[]): string[] => (values.includes(ANY) ? [] : values);

const listValue = (text: string, before: string[] = []): string[] => [...before, text];

const number = (text: string, before: string[] = []): string[] => [
  ...before,
  checked(parsePhoneNumber)(text),
];

function host(text: string): string {
  if (!/^[\w.-]+(:\d+)?$/.test(text))
    throw new InvalidArgumentError(
      'Give the host alone, without sip: and without a user, like example.pstn.twilio.com.',
    );
  return text;
}

if (isEntryPoint(import.meta.url))
  await createProgram((command) => runCommand(command)).parseAsync();

// SPDX-License-Identifier: Apache-2.0
import { Command, InvalidArgumentError, Option } from 'commander';
import pc from 'picocolors';
import { type CompareFlags, compareCommand } from './compare/compare-command.js';
import { startEmulator } from './emulator.js';
import { FAULT_KINDS, type Fault, parseFault } from './faults.js';
import { type EmulatorOptions, LIMIT_DEFAULTS } from './options.js';
import { RULE_DEFAULTS } from './protocol/rule-settings.js';
import { citation } from './protocol/rules.js';
import { recordCommand } from './record/record-command.js';
import { stopOnSignal } from './stop-on-signal.js';
import { validateRecording } from './validate.js';

const whole = (text: string): number => {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0) throw new InvalidArgumentError('a whole number ≥ 0.');
  return value;
};
const port = (text: string): number => {
  const value = whole(text);
  if (value > 65_535) throw new InvalidArgumentError('a port is at most 65535.');
  return value;
};
const positive = (text: string): number => {
  const value = Number(text);
  if (!(value > 0 && Number.isFinite(value))) throw new InvalidArgumentError('a number above 0.');
  return value;
};
const amount = (text: string): number => {
  const value = Number(text);
  if (!(value >= 0 && Number.isFinite(value))) throw new InvalidArgumentError('a number ≥ 0.');
  return value;
};
const fault = (text: string, before: Fault[] = []): Fault[] => {
  try {
    return [...before, parseFault(text)];
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
};

/** The command line, not run yet: the bin entry parses it, the documents are generated from it. */
export function createProgram(): Command {
  const program = new Command('nova-sonic-emulator')
    // Flags behind a subcommand are the subcommand's, also where the emulator has one of the same name.
    .enablePositionalOptions()
    .description(
      "Emulates Amazon Bedrock's Nova Sonic endpoint on 127.0.0.1. Prints one line when both ports accept requests:\n" +
        'ready http://127.0.0.1:P https://127.0.0.1:Q\n\n' +
        'Accepts the credentials in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; without them, emulator / emulator-secret.',
    )
    .option('--port <port>', 'HTTP/2 in clear text; 0 takes any free port', port, 0)
    .option('--tls-port <port>', 'HTTP/2 over TLS; 0 takes any free port', port, 0)
    .option('--control-port <port>', 'control API; 0 takes any free port', port, 0)
    .option('--host <address>', 'address to listen on; 0.0.0.0 in a container', '127.0.0.1')
    .option(
      '--host-name <name>',
      'a further name that clients reach it by (repeatable): in the certificate, and for the control API',
      (name: string, before: string[] = []) => [...before, name],
    )
    .option('--cert <file>', 'where to write the certificate to trust (PEM), new at every start')
    .option('--scenario <file>', 'dialogue to play, YAML or JSON; without one, default replies')
    .option('--record <file>', "append every session's events to this file, as JSON lines")
    .option('--record-audio', 'keep the audio in the record file, instead of its length', false)
    .addOption(
      new Option('--profile <name>', "timing: the real service's, or as fast as possible")
        .choices(['capture', 'fast'])
        .default('capture'),
    )
    .addOption(
      new Option(
        '--noise <what>',
        'what noise leads to: nothing, or speech events without a transcript',
      )
        .choices(['silent', 'false-speech'])
        .default('silent'),
    )
    .addOption(
      new Option(
        '--other-voices <what>',
        "voices around the caller: heard as the caller's, or ignored when they are less loud",
      )
        .choices(['heard', 'ignored'])
        .default('heard'),
    )
    .option(
      '--time-scale <factor>',
      'speeds up the limits, not the dialogue: with 60, the 8-minute connection ends after 8 s',
      positive,
      1,
    )
    .option('--seed <number>', 'seed of jitter, ids and default replies', whole, 1)
    .option('--no-verify-signatures', 'accept requests with any signature, or none')
    .option('--allow-end-of-life', 'serve amazon.nova-sonic-v1:0, which ended on 2026-09-14', false)
    .optionsGroup('Rules:')
    .option(
      '--strict',
      'refuse also what is only inferred or guessed, or what clients that work do otherwise; without it, that warns',
      false,
    )
    .optionsGroup('Network:')
    .option('--latency <ms>', 'one-way delay between client and emulator', amount, 0)
    .option('--jitter <ms>', 'how much the delay varies, up and down; the order stays', amount, 0)
    .option('--bandwidth <kbit/s>', 'rate of each direction; 0 is unlimited', amount, 0)
    .optionsGroup('Limits:')
    .option(
      '--max-streams <count>',
      'concurrent streams per account and Region',
      whole,
      LIMIT_DEFAULTS.concurrentStreams,
    )
    .option(
      '--max-connection <seconds>',
      'longest connection',
      positive,
      LIMIT_DEFAULTS.connectionSeconds,
    )
    .option(
      '--audio-idle <seconds>',
      'longest gap without audio or interactive content',
      positive,
      LIMIT_DEFAULTS.audioIdleSeconds,
    )
    .option(
      '--speech-idle <seconds>',
      'longest time without speech or interactive content',
      positive,
      LIMIT_DEFAULTS.speechIdleSeconds,
    )
    .option(
      '--headers-after <seconds>',
      'send response headers after this long without input',
      positive,
      LIMIT_DEFAULTS.headersSeconds,
    )
    .option(
      '--priming-audio <ms>',
      'audio to send before typed text is answered',
      positive,
      LIMIT_DEFAULTS.primingAudioMs,
    )
    .option(
      '--history-text <bytes>',
      'size of one textInput of the history',
      whole,
      RULE_DEFAULTS.historyTextBytes,
    )
    .option(
      '--history-total <bytes>',
      'size of the whole history',
      whole,
      RULE_DEFAULTS.historyTotalBytes,
    )
    .option('--object-schemas', "accept a tool's inputSchema.json as an object", false)
    .optionsGroup('Faults:')
    .option(
      '--fault <fault>',
      `kind, or kind:name=value,… (repeatable): ${FAULT_KINDS.join(', ')}; each accepts times=N, most accept after=EVENT#N ` +
        '(exception:type=modelTimeoutException,after=audioOutput#3)',
      fault,
    )
    .action(run);
  program
    .command('validate')
    .description("Checks a client's side of a recording against the protocol.")
    .argument('<file>', 'JSON lines, as --record writes them')
    .option('--strict', 'report as errors what is only inferred or guessed, too', false)
    .action(validate);
  const region = process.env.AWS_REGION ?? process.env.AWS_DEFAULT_REGION ?? 'us-east-1';
  program
    .command('compare')
    .description(
      'Holds conversations with two endpoints and tells what differs: order, fields, timing and errors. An endpoint is ' +
        "emulator, aws (Amazon Bedrock, with the machine's credentials; costs are told before) or a URL.",
    )
    .argument('[left]', 'first endpoint', 'emulator')
    .argument('[right]', 'second endpoint', 'aws')
    .option('--model <id>', 'model to talk to', 'amazon.nova-2-sonic-v1:0')
    .option('--region <name>', 'Region to sign for, and of Bedrock', region)
    .option('--only <text>', 'only conversations with this in their name')
    .option(
      '--out <file>',
      'differences and observations as JSON lines; nothing of what was said, no ids',
    )
    .option('--yes', 'costs are fine', false)
    .action(async (left: string, right: string, flags: Omit<CompareFlags, 'left' | 'right'>) => {
      const { differences } = await compareCommand({ ...flags, left, right });
      if (differences.length) process.exitCode = 1;
    });
  program
    .command('record')
    .description(
      'A proxy that records what a client and Amazon Bedrock say. The client connects with any credentials; its streams ' +
        "are signed again with the machine's. Texts are recorded as their lengths unless asked for.",
    )
    .argument('<file>', 'JSON lines, as --record writes them')
    .option('--target <endpoint>', 'aws, or a URL', 'aws')
    .option('--region <name>', 'Region to sign for, and of Bedrock', region)
    .option('--port <port>', 'HTTP/2 in clear text; 0 takes any free port', port, 0)
    .option('--tls-port <port>', 'HTTP/2 over TLS; 0 takes any free port', port, 0)
    .option('--cert <file>', 'where to write the certificate to trust (PEM)')
    .option('--audio', 'keep the audio', false)
    .option('--text', 'keep what is said, prompts, arguments and results', false)
    .action(recordCommand);
  return program;
}

/** What the flags of the emulator say. */
export function emulatorOptions(
  flags: Record<string, never>,
  { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY }: NodeJS.ProcessEnv,
): EmulatorOptions {
  return {
    port: flags.port,
    tlsPort: flags.tlsPort,
    controlPort: flags.controlPort,
    host: flags.host,
    hostNames: flags.hostName,
    certFile: flags.cert,
    scenario: flags.scenario,
    profile: flags.profile,
    noise: flags.noise,
    otherVoices: flags.otherVoices,
    timeScale: flags.timeScale,
    seed: flags.seed,
    record: flags.record,
    recordAudio: flags.recordAudio,
    verifySignatures: flags.verifySignatures,
    allowEndOfLife: flags.allowEndOfLife,
    limits: {
      concurrentStreams: flags.maxStreams,
      connectionSeconds: flags.maxConnection,
      audioIdleSeconds: flags.audioIdle,
      speechIdleSeconds: flags.speechIdle,
      headersSeconds: flags.headersAfter,
      primingAudioMs: flags.primingAudio,
    },
    network: {
      latencyMs: flags.latency,
      jitterMs: flags.jitter,
      bandwidthKbps: flags.bandwidth,
    },
    rules: {
      strict: flags.strict,
      historyTextBytes: flags.historyText,
      historyTotalBytes: flags.historyTotal,
      objectSchemas: flags.objectSchemas,
    },
    faults: flags.fault,
    credentials:
      AWS_ACCESS_KEY_ID && AWS_SECRET_ACCESS_KEY
        ? { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY }
        : undefined,
  };
}

async function run(flags: Record<string, never>): Promise<void> {
  const emulator = await startEmulator({
    ...emulatorOptions(flags, process.env),
    log: (line) => console.error(line),
  });
  console.error(`certificate ${emulator.certFile}`);
  console.error(`control ${emulator.controlUrl}`);
  console.log(`ready ${emulator.url} ${emulator.tlsUrl}`);
  stopOnSignal(() => emulator.close());
}

async function validate(file: string, flags: { strict: boolean }): Promise<void> {
  const { sessions, events, findings } = await validateRecording(file, { strict: flags.strict });
  for (const { line, severity, event, why, text, rule } of findings) {
    const mark = severity === 'error' ? pc.red('error') : pc.yellow('warning');
    const says = text ? ` Bedrock says: ${text}` : '';
    const known = rule ? ` (${citation(rule)})` : '';
    console.log(`${file}:${line}: ${mark}: ${event}: ${why}.${says}${known}`);
  }
  const errors = findings.filter(({ severity }) => severity === 'error').length;
  const warnings = findings.length - errors;
  console.log(`${events} events in ${sessions} sessions: ${errors} errors, ${warnings} warnings`);
  if (errors) process.exitCode = 1;
}

// SPDX-License-Identifier: Apache-2.0

import './command/silence-warnings.js';
import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { dispose } from '@livekit/rtc-node';
import { Command, InvalidArgumentError, Option } from 'commander';
import { SpeechSynthesizer } from 'nova-sonic-emulator/speech';
import pc from 'picocolors';
import { CALLER_RATE } from '../agent/src/caller/caller.js';
import { PHONE_RATE } from './audio/g711.js';
import { type Noise, parseNoise } from './audio/noise.js';
import { peakDb, readWav, writeWav } from './audio/wav.js';
import { type CallOutcome, CallRunner, type Question } from './caller/call-runner.js';
import { latencyTable } from './caller/latency-table.js';
import { parseKeys } from './caller/phone.js';
import { checked } from './command/checked.js';
import { isEntryPoint, logStatus, runCommand, warnRenamedScript } from './command/run-command.js';
import { findRunningEnvironment } from './dev/state-file.js';

const DEMO_SCENARIO = fileURLToPath(new URL('scenarios/demo.yaml', import.meta.url));
/** Asked when no recording is given; demo.yaml holds the transcripts and replies. */
const DEMO_QUESTIONS = ['What time is it in Tokyo?', 'How many kilometers are five miles?'];
/** How many lines of the worker's log are shown when a question got no answer. */
const LOG_LINES = 20;

interface CallOptions {
  out: string;
  bargeIn?: number[];
  patience: number;
  phone?: boolean;
  ring?: number;
  digits?: string;
  noise?: Noise;
  otherVoices?: 'heard' | 'ignored';
  heardNoise?: 'silent' | 'false-speech';
  bedrock?: 'emulator' | 'aws';
  scenario?: string;
  record?: string;
  verbose?: boolean;
}

/** The options of `npm run call`; nothing runs before they are parsed. */
export function createProgram(): Command {
  return new Command('npm run call --')
    .description('Calls the agent, asks each question, waits for each reply, and shows latencies.')
    .argument(
      '[recordings...]',
      'questions as WAV files, any sample rate (default: two built-in ones)',
    )
    .option(
      '--out <directory>',
      'where audio and transcript are written (default: conversations/<time>)',
    )
    .option(
      '--barge-in <n>',
      'speak recording n while the previous reply is playing (repeatable)',
      parseBargeIn,
    )
    .option('--patience <seconds>', 'how long to wait for a reply to start', parseSeconds, 20)
    .option(
      '--phone',
      "call as a telephone does through LiveKit's SIP service: a SIP participant, 8 kHz, G.711",
    )
    .option(
      '--ring <seconds>',
      'be called by the agent: a telephone that rings for so long and is answered; shows how soon the greeting came',
      parseSeconds,
    )
    .option(
      '--digits <keys>',
      'press these keys after the greeting, like 123#; w is a pause of 0.5 s',
      checked(parseKeys),
    )
    .option(
      '--noise <noise>',
      'noise around the caller: a level like -40 (dBFS, white noise), or a WAV file, repeated',
      checked(parseNoise),
    )
    .addOption(
      new Option(
        '--other-voices <what>',
        "what the emulator makes of people around the caller: heard as the caller's, or ignored when they are less loud",
      ).choices(['heard', 'ignored']),
    )
    .addOption(
      new Option(
        '--heard-noise <what>',
        'what noise leads to at the emulator: nothing, or speech events without a transcript',
      ).choices(['silent', 'false-speech']),
    )
    .addOption(
      new Option('--bedrock <endpoint>', 'what answers: the emulator, or Amazon Bedrock').choices([
        'emulator',
        'aws',
      ]),
    )
    .option(
      '--scenario <file>',
      'scenario for the emulator (see packages/nova-sonic-emulator/README.md)',
    )
    .option('--record <file>', "write the emulator's record of the call to this file (JSON lines)")
    .option('--verbose', "show the agent's whole log");
}

async function call(
  recordings: string[],
  given: Omit<CallOptions, 'out'> & { out?: string },
  interrupted: Promise<undefined>,
): Promise<number> {
  const { out = defaultOut(), ring } = given;
  const options: CallOptions = { ...given, out, ...(ring && { phone: true }) };
  const sampleRate = options.phone ? PHONE_RATE : CALLER_RATE;
  const questions = await loadQuestions(recordings, options.bargeIn ?? [], sampleRate);
  const { otherVoices, heardNoise } = options;
  const ownEmulator = options.scenario || options.record || otherVoices || heardNoise;
  const ownEnvironment = options.bedrock || ownEmulator;
  const running = ownEnvironment ? undefined : await findRunningEnvironment();
  if (running) logStatus('calling the agent that `npm start` is running');
  if (options.bedrock === 'aws') {
    const { checkBedrock } = await import('./dev/bedrock-check.js');
    await checkBedrock();
  }
  const scenario = options.scenario ?? (recordings.length ? undefined : DEMO_SCENARIO);
  const workerLog: string[] = [];
  const started = running
    ? undefined
    : await (await import('./dev/dev-environment.js')).startDevEnvironment({
        bedrock: options.bedrock ?? 'emulator',
        onStatus: logStatus,
        onWorkerLine: (line) => (options.verbose ? logStatus(line) : workerLog.push(line)),
        ...(scenario && { scenario }),
        ...(options.record && { record: options.record }),
        ...(otherVoices && { otherVoices }),
        ...(heardNoise && { heardNoise }),
      });
  const livekit = (running ?? started)?.livekit;
  if (!livekit) throw new Error('There is no LiveKit server to call.');
  const { patience, phone, digits, noise } = options;
  try {
    const runner = new CallRunner(questions, {
      patienceMs: patience * 1000,
      ...(phone && { phone }),
      ...(ring && { dialed: true, ringMs: ring * 1000 }),
      ...(digits && { digits }),
      ...(noise && { noise }),
      print: (text) => process.stdout.write(`${text}\n`),
    });
    const outcome = await Promise.race([
      runner.run(livekit),
      interrupted,
      ...(started ? [started.failed.then(fail)] : []),
    ]).finally(() => runner.hangUp());
    if (!outcome) return 130;
    save(runner, outcome, options);
    return report(outcome, options, workerLog);
  } finally {
    await started?.stop();
    await dispose();
  }
}

async function loadQuestions(
  files: string[],
  bargeIns: number[],
  sampleRate: number,
): Promise<Question[]> {
  const missing = bargeIns.find((n) => n > (files.length || DEMO_QUESTIONS.length));
  if (missing)
    throw new Error(
      `--barge-in ${missing} names a recording that was not given: give at least ${missing} recordings.`,
    );
  const recordings = files.length
    ? files.map((file) => ({ name: basename(file), recording: readWav(file, sampleRate) }))
    : await synthesizeDemoQuestions(sampleRate);
  return recordings.map((question, i) => ({ ...question, bargeIn: bargeIns.includes(i + 1) }));
}

async function synthesizeDemoQuestions(sampleRate: number) {
  const speech = new SpeechSynthesizer();
  const voice = { id: 'caller', locale: 'en-US', register: 'masculine' } as const;
  try {
    return await Promise.all(
      DEMO_QUESTIONS.map(async (text) => ({
        name: `"${text}"`,
        recording: { sampleRate, samples: await speech.say(text, voice, sampleRate) },
      })),
    );
  } finally {
    await speech.close();
  }
}

function save(runner: CallRunner, outcome: CallOutcome, { out, verbose }: CallOptions): void {
  const { caller, agent } = runner.recordings;
  mkdirSync(out, { recursive: true });
  writeWav(join(out, 'caller.wav'), caller);
  writeWav(join(out, 'agent.wav'), agent);
  writeFileSync(join(out, 'conversation.json'), `${JSON.stringify(outcome, null, 2)}\n`);
  if (verbose) logStatus(`peak of the agent's audio: ${peakDb(agent.samples).toFixed(1)} dBFS`);
}

/** Prints the result. @returns the exit code: 1 when a question got no answer, or nobody greeted who answers the phone */
function report(outcome: CallOutcome, { out }: CallOptions, workerLog: string[]): number {
  process.stdout.write(`\n${latencyTable(outcome)}\n`);
  for (const { at, silenceMs } of outcome.bargeIns)
    process.stdout.write(
      `barge-in at ${((at - outcome.startedAt) / 1000).toFixed(1)} s: agent silent after ${silenceMs} ms\n`,
    );
  const { greetingMs } = outcome;
  if (greetingMs !== undefined && greetingMs >= 0)
    process.stdout.write(`greeting: ${greetingMs} ms after the phone was answered\n`);
  process.stdout.write(`audio and transcript: ${out}\n`);
  const unanswered = outcome.turns.filter((turn) => turn.firstSoundAt === undefined).length;
  if (unanswered === 0 && greetingMs !== -1) return 0;
  if (greetingMs === -1)
    process.stderr.write(pc.red('The phone was answered without a greeting.\n'));
  if (unanswered > 0)
    process.stderr.write(
      pc.red(`${unanswered} of ${outcome.turns.length} questions got no answer.\n`),
    );
  for (const text of workerLog.slice(-LOG_LINES)) logStatus(text);
  return 1;
}

function defaultOut(): string {
  return join('conversations', new Date().toISOString().replace(/[:.]/g, '-').slice(0, 19));
}

function fail(reason: string): never {
  throw new Error(reason);
}

function parseBargeIn(value: string, previous: number[] = []): number[] {
  const n = Number(value);
  if (!Number.isInteger(n) || n < 2)
    throw new InvalidArgumentError('give the number of a recording, 2 or higher.');
  return [...previous, n];
}

function parseSeconds(value: string): number {
  const number = Number(value);
  if (!(number > 0)) throw new InvalidArgumentError('give a number of seconds above 0.');
  return number;
}

if (isEntryPoint(import.meta.url)) {
  warnRenamedScript();
  const program = createProgram().parse();
  await runCommand((interrupted) => call(program.args, program.opts(), interrupted));
}

// SPDX-License-Identifier: Apache-2.0

import './command/silence-warnings.js';
import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { dispose } from '@livekit/rtc-node';
import { Command, InvalidArgumentError, Option } from 'commander';
import { SpeechSynthesizer } from 'nova-sonic-emulator/speech';
import pc from 'picocolors';
import { peakDb, readRecording, writeRecording } from './audio/wav.js';
import { Conversation, type Question } from './caller/call-runner.js';
import { CALLER_RATE } from './caller/caller.js';
import { latencyTable } from './caller/latency-table.js';
import { run, say } from './command/run-command.js';
import { checkBedrock } from './dev/bedrock-check.js';
import { runningWorld, startWorld } from './dev/dev-environment.js';

const DEMO_SCENARIO = fileURLToPath(new URL('scenarios/demo.yaml', import.meta.url));
/** What is asked when no recording is given; demo.yaml says what the emulator makes of it. */
const DEMO_QUESTIONS = ['What time is it in Tokyo?', 'How many kilometers are five miles?'];

const command = new Command('npm run converse --')
  .description(
    'Calls the agent, speaks each recording, waits for each answer, and shows how long it took.',
  )
  .argument('[recordings...]', 'WAV files, any sample rate; without one, two questions of ours')
  .option('--out <directory>', 'where the sound and the transcript go', defaultOut())
  .option(
    '--barge-in <n>',
    'speak recording n while the reply to the one before is playing (may be given more than once)',
    (value, all: number[]) => {
      const n = Number(value);
      if (!Number.isInteger(n) || n < 2)
        throw new InvalidArgumentError('give the number of a recording, 2 or higher.');
      return [...all, n];
    },
    [] as number[],
  )
  .option('--patience <seconds>', 'how long to wait for an answer to begin', seconds, 20)
  .addOption(
    new Option('--bedrock <which>', 'what answers: the emulator, or Amazon Bedrock').choices([
      'emulator',
      'aws',
    ]),
  )
  .option(
    '--scenario <file>',
    "what the emulator's callers say and hear, see packages/nova-sonic-emulator/README.md",
  )
  .option('--record <file>', "the emulator's own record of the call, as JSON lines")
  .option('--verbose', "show the agent's whole log")
  .parse();
const options = command.opts<{
  out: string;
  bargeIn: number[];
  patience: number;
  bedrock?: 'emulator' | 'aws';
  scenario?: string;
  record?: string;
  verbose?: boolean;
}>();

await run(async (interrupted) => {
  const questions = await questionsOf(command.args);
  const running = ownWorldWanted() ? undefined : await runningWorld();
  if (running) say('calling the agent that `npm start` is running');
  if (options.bedrock === 'aws') await checkBedrock();
  const scenario = options.scenario ?? (command.args.length ? undefined : DEMO_SCENARIO);
  const workerLog: string[] = [];
  const world = running
    ? undefined
    : await startWorld({
        bedrock: options.bedrock ?? 'emulator',
        say,
        onWorkerLine: (line) => (options.verbose ? say(line) : workerLog.push(line)),
        ...(scenario && { scenario }),
        ...(options.record && { record: options.record }),
      });
  const line = (running ?? world)?.line;
  if (!line) throw new Error('Nothing is running to call.');
  try {
    const conversation = new Conversation(questions, options.patience * 1000, (text) =>
      process.stdout.write(`${text}\n`),
    );
    const outcome = await Promise.race([
      conversation.hold(line),
      interrupted,
      ...(world ? [world.broken.then(fail)] : []),
    ]).finally(() => conversation.hangUp());
    if (!outcome) return 130;
    save(conversation, outcome);
    process.stdout.write(`\n${latencyTable(outcome)}\n`);
    for (const { at, silenceMs } of outcome.bargeIns)
      process.stdout.write(
        `barge-in at ${((at - outcome.startedAt) / 1000).toFixed(1)} s: silence after ${silenceMs} ms\n`,
      );
    process.stdout.write(`sound and transcript: ${options.out}\n`);
    const missing = outcome.turns.filter((turn) => turn.firstSoundAt === undefined).length;
    if (missing === 0) return 0;
    process.stderr.write(
      pc.red(`${missing} of ${outcome.turns.length} questions got no answer.\n`),
    );
    for (const text of workerLog.slice(-20)) say(text);
    return 1;
  } finally {
    await world?.stop();
    await dispose();
  }
});

function defaultOut(): string {
  return join('conversations', new Date().toISOString().replace(/[:.]/g, '-').slice(0, 19));
}

function ownWorldWanted(): boolean {
  return Boolean(options.bedrock || options.scenario || options.record);
}

async function questionsOf(files: string[]): Promise<Question[]> {
  const late = options.bargeIn.find((n) => n > (files.length || DEMO_QUESTIONS.length));
  if (late)
    throw new Error(
      `--barge-in ${late} names a recording that is not there: give ${late} of them.`,
    );
  const recordings = files.length
    ? files.map((file) => ({ name: basename(file), recording: readRecording(file, CALLER_RATE) }))
    : await demoQuestions();
  return recordings.map((question, i) => ({
    ...question,
    bargeIn: options.bargeIn.includes(i + 1),
  }));
}

async function demoQuestions() {
  const speech = new SpeechSynthesizer();
  const voice = { id: 'caller', locale: 'en-US', register: 'masculine' } as const;
  try {
    return await Promise.all(
      DEMO_QUESTIONS.map(async (text) => ({
        name: `"${text}"`,
        recording: {
          sampleRate: CALLER_RATE,
          samples: await speech.say(text, voice, CALLER_RATE),
        },
      })),
    );
  } finally {
    await speech.close();
  }
}

function save(conversation: Conversation, outcome: unknown): void {
  const { caller, agent } = conversation.recordings;
  mkdirSync(options.out, { recursive: true });
  writeRecording(join(options.out, 'caller.wav'), caller);
  writeRecording(join(options.out, 'agent.wav'), agent);
  writeFileSync(join(options.out, 'conversation.json'), `${JSON.stringify(outcome, null, 2)}\n`);
  if (options.verbose) say(`peak of the agent's side: ${peakDb(agent.samples).toFixed(1)} dBFS`);
}

function fail(reason: string): never {
  throw new Error(reason);
}

function seconds(value: string): number {
  const number = Number(value);
  if (!(number > 0)) throw new InvalidArgumentError('give a number of seconds above 0.');
  return number;
}

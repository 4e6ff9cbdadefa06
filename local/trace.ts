// SPDX-License-Identifier: Apache-2.0

import './command/silence-warnings.js';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { dispose } from '@livekit/rtc-node';
import { Command, Option } from 'commander';
import { SpeechSynthesizer } from 'nova-sonic-emulator/speech';
import { CALLER_RATE } from '../agent/src/caller/caller.js';
import { CallRunner, type Question } from './caller/call-runner.js';
import { isEntryPoint, logStatus, runCommand } from './command/run-command.js';
import { startOtlpReceiver } from './traces/otlp-receiver.js';
import { intoPage, largestTrace, traceTree } from './traces/trace-tree.js';

const SCENARIO = fileURLToPath(new URL('scenarios/traced.yaml', import.meta.url));
/** With a tool, a reply that the last one interrupts, and time for a renewal; traced.yaml has the replies. */
const QUESTIONS = [
  'What time is it in Tokyo?',
  'Tell me a long story.',
  'Stop, please, that is enough.',
];
/** Of questions, replies, the argument and the result of the tool, instructions: none of it may leave the worker. */
const SAID = [...QUESTIONS, 'Tokyo', 'castle', 'am the emulator', 'friendly assistant'];
/** The shortest age at which a stream is renewed. */
const RENEW_AFTER_S = '10';
const PATIENCE_MS = 20_000;

/** The options of `npm run trace`; nothing runs before they are parsed. */
export function createProgram(): Command {
  return new Command('npm run trace --')
    .description(
      'Makes a call with a tool, an interruption and a renewal, receives its trace, and prints it.',
    )
    .option(
      '--out <file>',
      'write the trace to this file, too; in a page with `<!-- trace -->`, to that place',
    )
    .addOption(
      new Option(
        '--to <url>',
        'send the trace to your own OpenTelemetry collector, like http://127.0.0.1:4318, and print nothing of it',
      ).conflicts('out'),
    );
}

interface TraceFlags {
  out?: string;
  to?: string;
}

async function trace(
  { out, to }: TraceFlags,
  interrupted: Promise<undefined>,
): Promise<number | undefined> {
  const receiver = to ? undefined : await startOtlpReceiver();
  Object.assign(process.env, {
    OTEL_EXPORTER_OTLP_ENDPOINT: to ?? receiver?.url,
    NOVA_SONIC_RENEW_AFTER_S: RENEW_AFTER_S,
  });
  const { startDevEnvironment } = await import('./dev/dev-environment.js');
  const environment = await startDevEnvironment({
    bedrock: 'emulator',
    scenario: SCENARIO,
    onStatus: logStatus,
  });
  try {
    const runner = new CallRunner(await speak(), { patienceMs: PATIENCE_MS, print: logStatus });
    const failed = environment.failed.then((reason) => Promise.reject(new Error(reason)));
    const outcome = await Promise.race([
      runner.run(environment.livekit),
      interrupted,
      failed,
    ]).finally(() => runner.hangUp());
    if (!outcome) return 130;
  } finally {
    // The last spans leave with the worker.
    await environment.stop();
    await receiver?.close();
    await dispose();
  }
  if (!receiver) return undefined;
  const said = SAID.filter((words) => receiver.bodies.some((body) => body.includes(words)));
  if (said.length > 0)
    throw new Error(
      `The trace holds what was said: ${said.map((words) => `"${words}"`).join(', ')}.`,
    );
  const tree = traceTree(largestTrace(receiver.spans));
  process.stdout.write(tree);
  if (out) {
    const page = existsSync(out) ? readFileSync(out, 'utf8') : '';
    writeFileSync(out, intoPage(page, tree) ?? tree);
  }
  return undefined;
}

async function speak(): Promise<Question[]> {
  const speech = new SpeechSynthesizer();
  const voice = { id: 'caller', locale: 'en-US', register: 'masculine' } as const;
  try {
    return await Promise.all(
      QUESTIONS.map(async (text, index) => ({
        name: `"${text}"`,
        recording: {
          sampleRate: CALLER_RATE,
          samples: await speech.say(text, voice, CALLER_RATE),
        },
        bargeIn: index === QUESTIONS.length - 1,
      })),
    );
  } finally {
    await speech.close();
  }
}

if (isEntryPoint(import.meta.url)) {
  const options = createProgram().parse().opts<TraceFlags>();
  await runCommand((interrupted) => trace(options, interrupted));
}

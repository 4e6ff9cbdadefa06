// SPDX-License-Identifier: Apache-2.0
import { writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import pc from 'picocolors';
import { startEmulator } from '../emulator.js';
import type { StreamEndpoint } from './bedrock-stream.js';
import { type Comparison, compareEndpoints } from './compare.js';
import { CONVERSATIONS } from './conversations.js';

/** Flags of `nova-sonic-emulator compare`. */
export interface CompareFlags {
  left: string;
  right: string;
  region: string;
  model: string;
  only?: string;
  out?: string;
  yes: boolean;
}

/** What the conversations cost at most: under a minute of speech each way, some 10,000 tokens of text. */
const COST = 'about 0.03 USD, at most 0.10 USD';

/** Compares two endpoints and prints the result. @throws Error of one sentence */
export async function compareCommand(flags: CompareFlags): Promise<Comparison> {
  const { left, right, only } = flags;
  const conversations = CONVERSATIONS.filter(({ name }) => !only || name.includes(only));
  if (!conversations.length) throw new Error(`no conversation has a name with ${only} in it.`);
  if ([left, right].includes('aws')) await confirmCost(flags);
  const emulators: { close(): Promise<void> }[] = [];
  const endpoint = async (name: string): Promise<StreamEndpoint> => {
    if (name === 'aws') return { region: flags.region };
    if (name !== 'emulator') return { url: name, region: flags.region };
    const emulator = await startEmulator({ scenario: SCENARIO });
    emulators.push(emulator);
    return { url: emulator.url, region: flags.region, credentials: emulator.credentials };
  };
  try {
    const comparison = await compareEndpoints(
      await endpoint(left),
      await endpoint(right),
      { modelId: flags.model, patienceMs: 20_000, pace: 1 },
      conversations,
      (name) => console.error(name),
    );
    report(comparison, flags);
    return comparison;
  } finally {
    for (const emulator of emulators) await emulator.close();
  }
}

/** What the emulator answers, as a model would. */
const SCENARIO = {
  turns: [
    { user: 'What is the capital of France?', reply: 'The capital of France is Paris.' },
    { user: 'Stop it, please.', reply: 'As you wish.' },
    { on: 'text' as const, match: 'hello', reply: 'Hello!' },
    {
      on: 'text' as const,
      match: 'Count',
      reply: 'One, two, three, four, five, six, seven, eight, nine, ten, eleven, twelve, thirteen.',
    },
    {
      on: 'text' as const,
      match: 'time',
      tools: [{ name: 'clock' }],
      reply: 'It is {{tool.time}}.',
    },
    { on: 'text' as const, match: 'name', reply: 'Your name is Ada.' },
  ],
};

async function confirmCost({ yes, region, model }: CompareFlags): Promise<void> {
  const what = `This talks to Amazon Bedrock (${model} in ${region}) for some three minutes and costs ${COST}.`;
  console.error(what);
  if (yes) return;
  if (!process.stdin.isTTY) throw new Error(`${what} Confirm it with --yes.`);
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await prompt.question('Go on? [y/N] ');
    if (!/^y(es)?$/i.test(answer.trim())) throw new Error('Nothing was sent.');
  } finally {
    prompt.close();
  }
}

function report({ observations, differences }: Comparison, flags: CompareFlags): void {
  if (flags.out) {
    const lines = [
      ...differences.map((difference) => ({ difference })),
      ...observations.flatMap(({ left, right }) => [{ left }, { right }]),
    ];
    writeFileSync(flags.out, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  }
  for (const { conversation, what, subject, left, right } of differences) {
    console.log(pc.bold(`${conversation}: ${what} of ${subject}`));
    console.log(`  ${flags.left}: ${left}`);
    console.log(`  ${flags.right}: ${right}`);
  }
  console.log(`${observations.length} conversations: ${differences.length} differences`);
}

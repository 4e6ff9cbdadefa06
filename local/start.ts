// SPDX-License-Identifier: Apache-2.0

import './quiet.js';
import { Command, Option } from 'commander';
import pc from 'picocolors';
import { checkBedrock } from './bedrock-access.js';
import { buildPage } from './playground/build.js';
import { type PageServer, servePage } from './playground/serve.js';
import { run, say } from './run.js';
import { announceWorld, forgetWorld, runningWorld, startWorld } from './world.js';

const command = new Command('npm start --')
  .description('Brings up LiveKit, the Bedrock endpoint and the agent on this machine.')
  .addOption(
    new Option('--bedrock <which>', 'what answers: the emulator, or Amazon Bedrock')
      .choices(['emulator', 'aws'])
      .default('emulator'),
  )
  .option('--scenario <file>', "what the emulator's callers say and hear, see docs/emulator.md")
  .option('--port <port>', 'port of the page (default: 3000, or a free one)', Number)
  .option('--verbose', "show the agent's whole log")
  .parse();
const options = command.opts<{
  bedrock: 'emulator' | 'aws';
  scenario?: string;
  port?: number;
  verbose?: boolean;
}>();

await run(async (interrupted) => {
  if (await runningWorld())
    throw new Error('It is running already: use it, or stop it with Ctrl-C in its terminal.');
  if (options.bedrock === 'aws') await checkBedrock();
  await buildPage(say);
  // What goes over the wire is shown to whoever runs this on their own machine.
  process.env.CALL_WIRE ??= 'true';
  const world = await startWorld({
    bedrock: options.bedrock,
    say,
    onWorkerLine: (line) => (options.verbose || notable(line)) && say(line),
    ...(options.scenario && { scenario: options.scenario }),
  });
  let page: PageServer | undefined;
  try {
    announceWorld(world);
    const answers =
      world.bedrock.kind === 'emulator'
        ? `the emulator, ${world.bedrock.url}`
        : `Amazon Bedrock in ${world.bedrock.region}`;
    page = await servePage({
      line: world.line,
      kind: world.bedrock.kind === 'emulator' ? 'emulator' : 'bedrock',
      name: world.bedrock.kind === 'emulator' ? 'the emulator on this machine' : answers,
      ...(process.env.LIVEKIT_AGENT_NAME && { agentName: process.env.LIVEKIT_AGENT_NAME }),
      ...(options.port !== undefined && { port: options.port }),
    });
    process.stdout.write(
      [
        pc.green('ready'),
        `  LiveKit   ${world.line.url}`,
        `  answers   ${answers}`,
        '  agent     takes any call on this LiveKit server',
        `Talk to it: open ${pc.bold(page.url)}, or \`npm run converse\` in another terminal. Ctrl-C stops everything.`,
        '',
      ].join('\n'),
    );
    const broken = await Promise.race([world.broken, interrupted]);
    if (broken) throw new Error(broken);
  } finally {
    forgetWorld();
    await page?.stop();
    await world.stop();
  }
});

/** Warnings and errors of the worker's JSON log, and what is not a log line at all. */
function notable(line: string): boolean {
  const level = /^\{"level":(\d+)/.exec(line)?.[1];
  return level ? Number(level) >= 40 : line.trim() !== '';
}

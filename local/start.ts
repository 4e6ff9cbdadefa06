// SPDX-License-Identifier: Apache-2.0

import './command/silence-warnings.js';
import { existsSync } from 'node:fs';
import { Command, Option } from 'commander';
import pc from 'picocolors';
import { withDefaults } from '../agent/src/environment.js';
import { portOption, run, say } from './command/run-command.js';
import { checkBedrock } from './dev/bedrock-check.js';
import { announceWorld, forgetWorld, runningWorld, startWorld } from './dev/dev-environment.js';
import { workerLines } from './dev/worker-log.js';
import { buildPage } from './playground/build-page.js';
import { type PageServer, portForPage, servePage } from './playground/serve.js';

const command = new Command('npm start --')
  .description('Brings up LiveKit, the Bedrock endpoint and the agent on this machine.')
  .addOption(
    new Option('--bedrock <which>', 'what answers: the emulator, or Amazon Bedrock')
      .choices(['emulator', 'aws'])
      .default('emulator'),
  )
  .option(
    '--scenario <file>',
    "what the emulator's callers say and hear, see packages/nova-sonic-emulator/README.md",
  )
  .option('--port <port>', 'port of the page (default: 3000, or a free one)', portOption)
  .option('--verbose', "show the agent's whole log, as JSON")
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
  if (options.scenario && !existsSync(options.scenario))
    throw new Error(
      `There is no scenario ${options.scenario}: give the path of a file with --scenario.`,
    );
  const port = await portForPage(options.port);
  if (options.bedrock === 'aws') await checkBedrock();
  await buildPage(say);
  // Your own calls on your own machine: show everything.
  Object.assign(process.env, withDefaults(process.env, { PUBLISH_BEDROCK_EVENTS: 'true' }));
  const words = workerLines();
  // Before, what the worker says is in the error when it does not start; afterwards, what is torn down complains.
  let running = false;
  void interrupted.then(() => {
    running = false;
  });
  const tell = (line: string) => {
    const sentence = options.verbose ? line : running && words(line);
    if (sentence) say(sentence);
  };
  const world = await startWorld({
    bedrock: options.bedrock,
    say,
    onWorkerLine: tell,
    ...(options.scenario && { scenario: options.scenario }),
  });
  let page: PageServer | undefined;
  try {
    running = true;
    announceWorld(world);
    const answers =
      world.bedrock.kind === 'emulator'
        ? `the emulator, ${world.bedrock.url}`
        : `Amazon Bedrock in ${world.bedrock.region}`;
    const agentName = process.env.LIVEKIT_AGENT_NAME ?? '';
    page = await servePage({
      line: world.line,
      kind: world.bedrock.kind === 'emulator' ? 'emulator' : 'bedrock',
      name: world.bedrock.kind === 'emulator' ? 'the emulator on this machine' : answers,
      agentName,
      port,
    });
    process.stdout.write(
      [
        pc.green('ready'),
        `  LiveKit   ${world.line.url}`,
        `  answers   ${answers}`,
        `  agent     ${agentName ? `named ${agentName}` : 'takes any call on this LiveKit server'}`,
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

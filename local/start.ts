// SPDX-License-Identifier: Apache-2.0

import './command/silence-warnings.js';
import { existsSync } from 'node:fs';
import { Command, Option } from 'commander';
import pc from 'picocolors';
import { isEntryPoint, logStatus, parsePort, runCommand } from './command/run-command.js';
import type { DevEnvironment } from './dev/dev-environment.js';
import { findRunningEnvironment, removeDevState, writeDevState } from './dev/state-file.js';
import { createWorkerLogFormatter } from './dev/worker-log.js';
import type { PageServer } from './playground/serve.js';

interface StartOptions {
  bedrock: 'emulator' | 'aws';
  scenario?: string;
  port?: number;
  verbose?: boolean;
}

/** The options of `npm start`; nothing runs before they are parsed. */
export function createProgram(): Command {
  return new Command('npm start --')
    .description(
      'Starts LiveKit, the Bedrock emulator, the agent and the playground page on this machine.',
    )
    .addOption(
      new Option('--bedrock <endpoint>', 'what answers: the emulator, or Amazon Bedrock')
        .choices(['emulator', 'aws'])
        .default('emulator'),
    )
    .option(
      '--scenario <file>',
      'scenario for the emulator (see packages/nova-sonic-emulator/README.md)',
    )
    .option('--port <port>', 'port of the page (default: 3000, or a free one)', parsePort)
    .option('--verbose', "show the agent's whole log, as JSON");
}

async function start(
  options: StartOptions,
  interrupted: Promise<undefined>,
): Promise<number | undefined> {
  if (await findRunningEnvironment())
    throw new Error('It is running already: use it, or stop it with Ctrl-C in its terminal.');
  if (options.scenario && !existsSync(options.scenario))
    throw new Error(
      `There is no scenario ${options.scenario}: give the path of a file with --scenario.`,
    );
  // Loaded only now: they take longer than all that could be wrong with the options.
  const { portForPage } = await import('./playground/serve.js');
  const port = await portForPage(options.port);
  if (options.bedrock === 'aws') {
    const { checkBedrock } = await import('./dev/bedrock-check.js');
    await checkBedrock();
  }
  const { buildPage } = await import('./playground/build-page.js');
  await buildPage(logStatus);
  const { withDefaults } = await import('../agent/src/parse-environment.js');
  // Developers may see the Bedrock events of calls on their own machine.
  Object.assign(process.env, withDefaults(process.env, { PUBLISH_BEDROCK_EVENTS: 'true' }));
  const formatLogLine = createWorkerLogFormatter();
  // Before the worker is ready its log is part of the start-up error; during shutdown it holds expected errors.
  let running = false;
  void interrupted.then(() => {
    running = false;
  });
  const onWorkerLine = (line: string) => {
    const sentence = options.verbose ? line : running && formatLogLine(line);
    if (sentence) logStatus(sentence);
  };
  const { startDevEnvironment } = await import('./dev/dev-environment.js');
  const environment = await startDevEnvironment({
    bedrock: options.bedrock,
    onStatus: logStatus,
    onWorkerLine,
    ...(options.scenario && { scenario: options.scenario }),
  });
  let page: PageServer | undefined;
  try {
    running = true;
    writeDevState(environment);
    page = await serveEnvironment(environment, port);
    const failure = await Promise.race([environment.failed, interrupted]);
    if (failure) throw new Error(failure);
    return undefined;
  } finally {
    removeDevState();
    await page?.stop();
    await environment.stop();
  }
}

/** Serves the playground page for the environment and prints where everything is. */
async function serveEnvironment(
  { livekit, bedrock }: DevEnvironment,
  port: number,
): Promise<PageServer> {
  const agentName = process.env.LIVEKIT_AGENT_NAME ?? '';
  const endpoint =
    bedrock.kind === 'emulator'
      ? `the emulator, ${bedrock.url} (control API: ${bedrock.controlUrl})`
      : `Amazon Bedrock in ${bedrock.region}`;
  const { servePage } = await import('./playground/serve.js');
  const page = await servePage({
    livekit,
    kind: bedrock.kind === 'emulator' ? 'emulator' : 'bedrock',
    name: bedrock.kind === 'emulator' ? 'the emulator on this machine' : endpoint,
    agentName,
    port,
  });
  process.stdout.write(
    [
      pc.green('ready'),
      `  LiveKit   ${livekit.url}`,
      `  Bedrock   ${endpoint}`,
      `  agent     ${agentName ? `named ${agentName}` : 'takes any call on this LiveKit server'}`,
      `Open ${pc.bold(page.url)} to talk to it, or run \`npm run call\` in another terminal. Ctrl-C stops everything.`,
      '',
    ].join('\n'),
  );
  return page;
}

if (isEntryPoint(import.meta.url)) {
  const options = createProgram().parse().opts<StartOptions>();
  await runCommand((interrupted) => start(options, interrupted));
}

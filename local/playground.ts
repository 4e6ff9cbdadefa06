// SPDX-License-Identifier: Apache-2.0

import './command/silence-warnings.js';
import { Command } from 'commander';
import pc from 'picocolors';
import {
  isEntryPoint,
  logStatus,
  parsePort,
  runCommand,
  warnRenamedScript,
} from './command/run-command.js';
import { buildPage } from './playground/build-page.js';
import { readDeployedService } from './playground/deployed-service.js';
import { portForPage, servePage } from './playground/serve.js';

interface PlaygroundOptions {
  stack: string;
  region?: string;
  profile?: string;
  port?: number;
}

/** The options of `npm run playground`; nothing runs before they are parsed. */
export function createProgram(): Command {
  return new Command('npm run playground --')
    .description(
      'Opens the playground page on this machine for a deployed stack. It reads the outputs of the stack and its LiveKit secret with your AWS credentials; nothing is exposed publicly.',
    )
    .requiredOption('--stack <name>', 'name of the CloudFormation stack, as printed by cdk deploy')
    .option(
      '--region <region>',
      'Region of the stack (default: the Region of your AWS configuration)',
    )
    .option('--profile <profile>', 'profile of your AWS configuration')
    .option('--port <port>', 'port of the page (default: 3000, or a free one)', parsePort);
}

async function playground(
  options: PlaygroundOptions,
  interrupted: Promise<undefined>,
): Promise<number> {
  const port = await portForPage(options.port);
  const { livekit, agentName, region } = await readDeployedService(options);
  await buildPage(logStatus);
  const page = await servePage({
    livekit,
    kind: 'stack',
    name: `${options.stack}, ${region}`,
    agentName,
    port,
  });
  try {
    process.stdout.write(
      [
        pc.green('ready'),
        `  LiveKit   ${livekit.url}`,
        `  agent     ${agentName ? `named ${agentName}` : 'any agent that takes calls on this LiveKit server'}`,
        `Open ${pc.bold(page.url)} to talk to it. Ctrl-C stops the page.`,
        '',
      ].join('\n'),
    );
    await interrupted;
    return 0;
  } finally {
    await page.stop();
  }
}

if (isEntryPoint(import.meta.url)) {
  warnRenamedScript();
  const options = createProgram().parse().opts<PlaygroundOptions>();
  await runCommand((interrupted) => playground(options, interrupted));
}

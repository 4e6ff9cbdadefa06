// SPDX-License-Identifier: Apache-2.0

import { Command } from 'commander';
import pc from 'picocolors';
import { portOption, run, say } from './command/run-command.js';
import { buildPage } from './playground/build-page.js';
import { readStack } from './playground/deployed-service.js';
import { portForPage, servePage } from './playground/serve.js';

const command = new Command('npm run talk --')
  .description(
    'Opens the page on this machine for a deployed stack. It reads the outputs of the stack and its LiveKit secret with your own AWS credentials; nothing public is opened.',
  )
  .requiredOption('--stack <name>', 'name of the CloudFormation stack, as cdk deploy printed it')
  .option('--region <region>', 'Region of the stack (default: that of your AWS configuration)')
  .option('--profile <profile>', 'profile of your AWS configuration')
  .option('--port <port>', 'port of the page (default: 3000, or a free one)', portOption)
  .parse();
const options = command.opts<{
  stack: string;
  region?: string;
  profile?: string;
  port?: number;
}>();

// The SDK's remark on the age of Node would stand before our sentence; engines in package.json says what is needed.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';

await run(async (interrupted) => {
  const port = await portForPage(options.port);
  const service = await readStack(options);
  await buildPage(say);
  const page = await servePage({
    line: service.line,
    kind: 'stack',
    name: `${options.stack}, ${service.region}`,
    agentName: service.agentName,
    port,
  });
  try {
    process.stdout.write(
      [
        pc.green('ready'),
        `  LiveKit   ${service.line.url}`,
        `  agent     ${service.agentName ? `the one named ${service.agentName}` : 'whichever takes any call there'}`,
        `Talk to it: open ${pc.bold(page.url)}. Ctrl-C stops.`,
        '',
      ].join('\n'),
    );
    await interrupted;
    return 0;
  } finally {
    await page.stop();
  }
});

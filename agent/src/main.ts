// SPDX-License-Identifier: Apache-2.0

import { fileURLToPath } from 'node:url';
import { AgentServer, initializeLogger, log, ServerOptions } from '@livekit/agents';
import { readSettings, type Settings, SettingsError } from './settings.js';

// The framework's own `cli.runApp … start` is not used: its load threshold is Infinity and its drain can cut calls.

function settingsOrExit(): Settings {
  try {
    return readSettings(process.env);
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(2);
  }
}

const settings = settingsOrExit();
initializeLogger({ pretty: false, level: settings.logLevel });
const server = new AgentServer(
  new ServerOptions({
    agent: fileURLToPath(new URL('call.js', import.meta.url)),
    wsURL: settings.livekit.url,
    apiKey: settings.livekit.apiKey,
    apiSecret: settings.livekit.apiSecret,
    agentName: settings.livekit.agentName,
    numIdleProcesses: Math.min(settings.callsPerTask, 2),
    loadFunc: async (worker) => worker.activeJobs.length / settings.callsPerTask,
    loadThreshold: 1,
    maxRetry: Number.MAX_SAFE_INTEGER,
    logLevel: settings.logLevel,
    host: '127.0.0.1',
  }),
);
server.event.once('worker_registered', (id: string) => {
  process.stdout.write(
    `${JSON.stringify({ level: 30, time: Date.now(), msg: 'ready', worker: id, livekit: settings.livekit.url, regions: settings.regions })}\n`,
  );
});

let stopping = false;
async function stop(): Promise<void> {
  if (stopping) return;
  stopping = true;
  await server.drain(5000).catch((error) => log().warn({ error }, 'calls were still live'));
  await server.close();
  process.exit(0);
}
process.on('SIGTERM', stop);
process.on('SIGINT', stop);

await server.run();

// SPDX-License-Identifier: Apache-2.0

import { fileURLToPath } from 'node:url';
import { initializeLogger, log } from '@livekit/agents';
import { collectGarbageSoon } from './collect-garbage.js';
import { ConfigError, readWorkerConfig, type WorkerConfig } from './config.js';
import { RecordingError, readLineRecordings } from './line/line-recordings.js';
import { deprecationWarnings } from './parse-environment.js';
import { installPiiRedaction } from './telemetry/redaction.js';
import { startTracing } from './tracing/tracing.js';
import { AgentWorker } from './worker/agent-worker.js';

// The framework's own `cli.runApp … start` is not used: its load threshold is Infinity and its drain can cut calls.

function configOrExit(): WorkerConfig {
  try {
    const config = readWorkerConfig(process.env);
    readLineRecordings(config.line);
    return config;
  } catch (error) {
    if (!(error instanceof ConfigError || error instanceof RecordingError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(2);
  }
}

// Without this the job processes log every step of WebRTC, whatever LOG_LEVEL says.
process.env.NODE_ENV ??= 'production';

const config = configOrExit();
if (!config.logPii) installPiiRedaction();
initializeLogger({ pretty: false, level: config.logLevel });
for (const warning of deprecationWarnings(process.env)) log().warn(warning);
await startTracing(config);

const worker = new AgentWorker(config, fileURLToPath(new URL('agent.js', import.meta.url)));
process.on('uncaughtException', (error) => worker.failFatally(error));
process.on('unhandledRejection', (error) => log().error({ error }, 'unhandled rejection'));
collectGarbageSoon(() => true);
try {
  process.exitCode = await worker.run();
} catch (error) {
  log().fatal(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
// The framework's native threads and sockets would keep a finished process alive.
process.exit();

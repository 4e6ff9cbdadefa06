// SPDX-License-Identifier: Apache-2.0

import { fileURLToPath } from 'node:url';
import { initializeLogger, log } from '@livekit/agents';
import { readSettings, type Settings, SettingsError } from './config.js';
import { keepPiiOut } from './telemetry/redaction.js';
import { FleetWorker } from './worker/agent-worker.js';

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

// Without this the job processes log every step of WebRTC, whatever LOG_LEVEL says.
process.env.NODE_ENV ??= 'production';

const settings = settingsOrExit();
if (!settings.logPii) keepPiiOut();
initializeLogger({ pretty: false, level: settings.logLevel });

const worker = new FleetWorker(settings, fileURLToPath(new URL('agent.js', import.meta.url)));
process.on('uncaughtException', (error) => worker.unsound(error));
process.on('unhandledRejection', (error) => log().error({ error }, 'unhandled rejection'));
try {
  process.exitCode = await worker.run();
} catch (error) {
  log().fatal(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
// Native threads and sockets of the framework would keep a finished process.
process.exit();

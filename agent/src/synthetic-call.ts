// SPDX-License-Identifier: Apache-2.0

// The program of a synthetic call: `node dist/synthetic-call.js`, with the variables of a worker. Prints one line of log and one of
// metrics, and exits with 0 when the agent answered.

import { randomBytes } from 'node:crypto';
import { initializeLogger, log } from '@livekit/agents';
import { dispose } from '@livekit/rtc-node';
import { Caller } from './caller/caller.js';
import { SyntheticCaller } from './caller/synthetic-caller.js';
import { ConfigError, readWorkerConfig } from './config.js';
import { WorkerMetrics } from './telemetry/metrics.js';

/** How long to wait for the agent, its greeting and its reply each. A task that starts for the call takes longer. */
const PATIENCE_MS = 15_000;

process.env.NODE_ENV ??= 'production';
try {
  const { livekit, metrics: names, logLevel } = readWorkerConfig(process.env);
  initializeLogger({ pretty: false, level: logLevel });
  const metrics = new WorkerMetrics(names);
  const room = `synthetic-${randomBytes(4).toString('hex')}`;
  const { failure, error, replyMs } = await new SyntheticCaller(new Caller({ record: false })).make(
    {
      livekit,
      room,
      agentName: livekit.agentName,
      patienceMs: PATIENCE_MS,
    },
  );
  metrics.add('SyntheticCallsAnswered', failure ? 0 : 1);
  if (replyMs !== undefined) metrics.add('SyntheticCallReplyTime', replyMs);
  metrics.flush();
  if (failure) log().error({ room, failure, error }, 'synthetic call not answered');
  else log().info({ room, reply_ms: replyMs }, 'synthetic call answered');
  process.exitCode = failure ? 1 : 0;
  await dispose();
} catch (error) {
  if (!(error instanceof ConfigError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 2;
}
// The native threads of WebRTC would keep a finished process alive.
process.exit();

// SPDX-License-Identifier: Apache-2.0

import type { HealthCheck } from 'aws-cdk-lib/aws-ecs';
import { Duration } from 'aws-cdk-lib/core';
import { HEALTH_CHECK_INTERVAL_S } from './health-interval.js';

/** Port of the worker's health server, which listens on loopback only. */
export const HEALTH_PORT = 8081;

/**
 * A task becomes healthy when it registers with LiveKit, and then stays healthy while its process is live.
 *
 * So a deployment with an invalid address or key never gets a healthy task and is rolled back, while a later outage of
 * LiveKit does not make ECS kill tasks with calls. Run by the image's Node, because a slim image has no curl.
 */
export const HEALTH_SCRIPT = [
  "const fs = require('node:fs'), seen = process.env.HEALTH_MARK || '/tmp/was-ready'",
  "const path = fs.existsSync(seen) ? '/live' : '/ready'",
  "fetch('http://127.0.0.1:' + process.env.HEALTH_PORT + path).then((answer) => { if (!answer.ok) process.exit(1); fs.writeFileSync(seen, '') }, () => process.exit(1))",
].join('; ');

/** A new task has a minute to register; a task that stops answering is replaced after 45 s. */
export const healthCheck: HealthCheck = {
  command: ['CMD', 'node', '-e', HEALTH_SCRIPT],
  interval: Duration.seconds(HEALTH_CHECK_INTERVAL_S),
  timeout: Duration.seconds(5),
  retries: 3,
  startPeriod: Duration.seconds(60),
};

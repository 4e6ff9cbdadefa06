// SPDX-License-Identifier: Apache-2.0

// Builds the LiveKit server, the agent and the page, each if it is not there yet.

import { buildAgent } from '../../local/dev/build-agent.js';
import { findLiveKitServer } from '../../local/livekit/server.js';
import { buildPage } from '../../local/playground/build-page.js';

const log = (line: string) => process.stderr.write(`${line}\n`);
await findLiveKitServer(log);
await buildAgent(log);
await buildPage(log);

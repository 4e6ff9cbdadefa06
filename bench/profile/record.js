// SPDX-License-Identifier: Apache-2.0

// For NODE_OPTIONS=--import: writes a CPU profile of each process into PROFILE_DIRECTORY when it exits. Node 20 does not
// allow --cpu-prof in NODE_OPTIONS.

import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector';
import { join } from 'node:path';
import { isMainThread } from 'node:worker_threads';

const INTERVAL_US = 500;

if (isMainThread) {
  const session = new Session();
  session.connect();
  session.post('Profiler.enable');
  session.post('Profiler.setSamplingInterval', { interval: INTERVAL_US });
  session.post('Profiler.start');
  process.on('exit', () => {
    // Answered at once: the session is with this thread itself.
    session.post('Profiler.stop', (error, result) => {
      const file = join(process.env.PROFILE_DIRECTORY, `${process.pid}.cpuprofile`);
      if (!error) writeFileSync(file, JSON.stringify(result.profile));
    });
  });
}

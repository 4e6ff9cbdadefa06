// SPDX-License-Identifier: Apache-2.0

import { randomUUID } from 'node:crypto';
import { log } from '@livekit/agents';
import type { MonotonicClock } from '../clock.js';
import type { WorkerConfig } from '../config.js';
import type { ServingTasks } from '../ecs/service-api.js';
import { createWaitingLine, type LineConfig } from '../line/create-waiting-line.js';
import type { WorkerMetrics } from '../telemetry/metrics.js';
import { maskPhoneNumbers } from '../telemetry/redaction.js';
import { writeSpan } from '../tracing/tracing.js';
import { CallerWatcher } from './caller-watcher.js';
import type { ConnectPresence } from './presence-connection.js';
import type { UnansweredRoom } from './room-watch.js';
import type { RoomsApi } from './rooms-api.js';
import { presenceRoom, WorkerPresence } from './worker-presence.js';

/** Time, chance and LiveKit, see WorkerPeers. */
interface WatcherPeers {
  clock: MonotonicClock;
  wallClock(): number;
  random(): number;
  createRooms(config: Pick<WorkerConfig, 'livekit' | 'callers'>): RoomsApi;
  connectPresence(livekit: WorkerConfig['livekit']): ConnectPresence;
}

interface WatchingWorker {
  /** See CallerWatcherOptions. */
  room(): number;
  /** See CallerWatcherEvents. */
  onServing(serving: readonly ServingTasks[]): void;
}

/** The watcher of a worker, which logs and counts what it does; undefined when it is turned off. */
export function createCallerWatcher(
  config: LineConfig & Pick<WorkerConfig, 'callers' | 'watcher'>,
  metrics: Pick<WorkerMetrics, 'add'>,
  { clock, wallClock, random, createRooms, connectPresence }: WatcherPeers,
  { room, onServing }: WatchingWorker,
): CallerWatcher | undefined {
  const { requestsPerSecond, presence } = config.watcher;
  if (requestsPerSecond === 0) return undefined;
  const rooms = createRooms(config);
  const worker = randomUUID();
  const { agentName } = config.livekit;
  return new CallerWatcher(
    clock,
    rooms,
    {
      agentName,
      worker,
      requestsPerSecond,
      wallClock,
      random,
      room,
    },
    {
      onWatching: (watching) => {
        if (watching) log().info('this worker watches for callers without an agent');
        else log().info('another worker watches for callers without an agent');
      },
      onUnanswered: (room) => log().warn(roomFields(room), 'caller without an agent'),
      onDispatched: (room, jobs) => {
        if (jobs.length === 0) {
          log().debug(roomFields(room), 'no worker took the caller');
          return;
        }
        metrics.add('CallsRedispatched');
        const waitedMs = Math.round(clock.now() - room.since);
        log().info({ ...roomFields(room), waited_ms: waitedMs }, 'agent dispatched again');
        const endedAt = Math.round(wallClock());
        const attributes = { 'nova_sonic.room_sid': room.sid };
        for (const job of jobs)
          writeSpan(job, {
            name: 'redispatch',
            startedAt: endedAt - waitedMs,
            endedAt,
            attributes,
          });
      },
      onWorkerLost: (lost, calls) => log().warn({ lost, calls }, 'another worker has died'),
      onAgentDied: ({ room, job }) =>
        log().warn(
          { call_id: job, room: maskPhoneNumbers(room), 'lk.pii.room_name': room },
          'the agent of a call died with its worker',
        ),
      onServing,
      onFailure: (error) => log().warn({ error }, 'the watcher could not ask LiveKit'),
    },
    {
      line: createWaitingLine(config, clock, metrics, rooms),
      presence: presence
        ? new WorkerPresence(
            clock,
            connectPresence(config.livekit),
            presenceRoom(agentName),
            worker,
          )
        : undefined,
    },
  );
}

function roomFields({ name, sid }: UnansweredRoom): Record<string, string> {
  return { room: maskPhoneNumbers(name), room_sid: sid, 'lk.pii.room_name': name };
}

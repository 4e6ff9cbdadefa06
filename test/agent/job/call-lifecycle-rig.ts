// SPDX-License-Identifier: Apache-2.0
// A call whose room and supervisor the test plays; time is Jest's.

import { EventEmitter } from 'node:events';
import { jest } from '@jest/globals';
import type { JobContext, voice } from '@livekit/agents';
import {
  ConnectionState,
  type LocalAudioTrack,
  ParticipantKind,
  type RemoteParticipant,
  RoomEvent,
} from '@livekit/rtc-node';
import { ParticipantInfo, RoomServiceClient } from 'livekit-server-sdk';
import { readWorkerConfig } from '../../../agent/src/config.js';
import { CallLifecycle } from '../../../agent/src/job/call-lifecycle.js';
import {
  type CallCommands,
  SupervisorClient,
} from '../../../agent/src/supervision/supervisor-client.js';

/**
 * @param env environment variables of the worker
 * @param entry what the agent does; the default waits for ever, like a call that goes on
 */
export function startCall(
  env: Record<string, string> = {},
  entry: (call: CallLifecycle) => Promise<void> = () => new Promise(() => {}),
) {
  const log: string[] = [];
  const cleanups: (() => Promise<void>)[] = [];
  const changed: ((chosen: { identities: string[] }) => void)[] = [];
  const participants = new Map<string, { identity: string; info: { kind: ParticipantKind } }>();
  const room = Object.assign(new EventEmitter(), {
    remoteParticipants: participants,
    connectionState: ConnectionState.CONN_CONNECTED as ConnectionState,
    isConnected: true,
    localParticipant: {
      publishTrack: async (track: LocalAudioTrack) => {
        log.push(`plays: ${track.name}`);
        throw new Error('the connection has gone');
      },
    },
  });
  const ctx = {
    job: { id: 'AJ_1', room: { name: 'hall', sid: 'RM_1' }, metadata: '' },
    info: {},
    room,
    addShutdownCallback: (cleanup: () => Promise<void>) => cleanups.push(cleanup),
    shutdown: (reason: string) => log.push(`shutdown: ${reason}`),
  };
  const { prototype: api } = RoomServiceClient;
  jest
    .spyOn(api, 'listParticipants')
    .mockImplementation(async () =>
      [...participants.values()].map(
        ({ identity, info: { kind } }) => new ParticipantInfo({ identity, kind: Number(kind) }),
      ),
    );
  jest.spyOn(api, 'deleteRoom').mockImplementation(async (name) => void log.push(`delete ${name}`));
  jest
    .spyOn(api, 'removeParticipant')
    .mockImplementation(async (_, identity) => void log.push(`remove ${identity}`));
  let commands: CallCommands | undefined;
  jest.spyOn(SupervisorClient, 'ofProcess').mockReturnValue({
    callStarted(call: { job: string; room: string; roomSid: string }, given: CallCommands) {
      log.push(`started ${call.job} in ${call.room} ${call.roomSid}`);
      commands = given;
      return {
        addMetric: (metric: string, value = 1) => log.push(`${metric} ${value}`),
        reportStream: () => {},
        reportCaller: (identity: string) => log.push(`caller: ${identity}`),
        keep: ({ id }: { id: string }) => log.push(`keep ${id}`),
        ended: (reason: string, failed = false) =>
          log.push(`ended: ${reason}${failed ? ' (failed)' : ''}`),
      };
    },
    cooldownUntil: (lane: string) => (lane === 'us-east-1' ? 5 : undefined),
    reportConnect: () => {},
  } as unknown as SupervisorClient);
  const config = readWorkerConfig({
    LIVEKIT_URL: 'ws://127.0.0.1:7880',
    LIVEKIT_API_KEY: 'key',
    LIVEKIT_API_SECRET: 'secret',
    ...env,
  });
  let lifecycle: CallLifecycle | undefined;
  const callers = {
    get caller() {
      const people = [...participants.values()];
      return people.find(({ info }) => info.kind !== ParticipantKind.AGENT) as
        | RemoteParticipant
        | undefined;
    },
    onChange: (listener: (chosen: { identities: string[] }) => void) => void changed.push(listener),
  };
  const done = CallLifecycle.run(ctx as unknown as JobContext, config, callers, async (call) => {
    lifecycle = call;
    await entry(call);
  });
  return {
    log,
    done,
    room,
    get lifecycle() {
      return lifecycle as CallLifecycle;
    },
    /** Somebody joins. */
    join(identity: string, kind = ParticipantKind.STANDARD) {
      participants.set(identity, { identity, info: { kind } });
    },
    leave: (identity: string) => participants.delete(identity),
    /** Other people are heard; the first one is the caller. */
    hear(...identities: string[]) {
      for (const listener of changed) listener({ identities });
    },
    disconnect() {
      room.isConnected = false;
      room.connectionState = ConnectionState.CONN_DISCONNECTED;
      room.emit(RoomEvent.Disconnected);
    },
    command: (type: 'end_gracefully' | 'end_now', reason: string) =>
      commands?.onCommand({ type, job: 'AJ_1', reason }),
    loseWorker: () => commands?.onWorkerLost(),
    withdraw: () => commands?.onWithdrawn?.(),
    cleanUp: () => Promise.all(cleanups.map((cleanup) => cleanup())),
  };
}

/** A session whose replies take until `played` is called. */
export function fakeSession() {
  const replies: unknown[] = [];
  let finish: () => void = () => {};
  let fail: (error: Error) => void = () => {};
  const session = Object.assign(new EventEmitter(), {
    agentState: 'listening',
    generateReply(options: unknown) {
      replies.push(options);
      const waitForPlayout = () =>
        new Promise<void>((resolve, reject) => {
          finish = resolve;
          fail = reject;
        });
      return { waitForPlayout };
    },
  });
  return {
    session: session as unknown as voice.AgentSession,
    events: session as EventEmitter,
    replies,
    played: () => finish(),
    broken: () => fail(new Error('no stream')),
  };
}

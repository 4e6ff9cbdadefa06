// SPDX-License-Identifier: Apache-2.0

import { setTimeout as pause } from 'node:timers/promises';
import { beforeAll, expect, jest, test } from '@jest/globals';
import { initializeLogger, llm, log } from '@livekit/agents';
import { Room, RoomEvent } from '@livekit/rtc-node';
import {
  CallRoom,
  currentCall,
  installCallLogging,
  nameTools,
  runInCall,
  runTool,
} from '../../../agent/src/host/call-context.js';

beforeAll(() => {
  initializeLogger({ pretty: false, level: 'info' });
  installCallLogging();
});

const call = (callId: string) => ({ callId, logger: log().child({ call_id: callId }) });

test("log() is the current call's logger, however its code was woken", async () => {
  const ids = await Promise.all(
    ['a', 'b'].map((id) =>
      runInCall(call(id), async () => {
        await pause(id === 'a' ? 20 : 5);
        return log().bindings().call_id;
      }),
    ),
  );
  expect(ids).toEqual(['a', 'b']);
  expect(log().bindings().call_id).toBeUndefined();
});

test("a room's events and stream handlers run for the call that made it, whoever emits them", () => {
  const seen: Record<string, string | undefined> = {};
  const note = (what: string) => {
    seen[what] = currentCall()?.callId;
  };
  // What rtc-node calls, from wherever, when a stream begins.
  const handlers: ((reader: never, from: never) => void)[] = [];
  for (const kind of ['registerTextStreamHandler', 'registerByteStreamHandler'] as const)
    jest.spyOn(Room.prototype, kind).mockImplementation((_, handler) => {
      handlers.push(handler);
    });
  const room = runInCall(call('a'), () => {
    const room = new CallRoom();
    room.on(RoomEvent.Reconnecting, () => note('event'));
    return room;
  });
  room.registerTextStreamHandler('t', () => note('text'));
  room.registerByteStreamHandler('b', () => note('bytes'));
  runInCall(call('b'), () => {
    room.emit(RoomEvent.Reconnecting);
    for (const handler of handlers) handler({} as never, {} as never);
  });
  expect(seen).toEqual({ event: 'a', text: 'a', bytes: 'a' });
  expect(currentCall()).toBeUndefined();
  jest.restoreAllMocks();
});

test('a tool runs for its call, and outside of calls without one', () => {
  const where = () => [currentCall()?.callId, currentCall()?.tool];
  expect(runInCall(call('a'), () => runTool('weather', where))).toEqual(['a', 'weather']);
  expect(runTool('weather', where)).toEqual([undefined, undefined]);
});

test('each tool runs under its name, and is otherwise the same', async () => {
  const running: unknown[] = [];
  const look = llm.tool({
    description: 'Looks.',
    execute: async () => {
      running.push(currentCall()?.callId, currentCall()?.tool);
      return 'seen';
    },
  });
  const { look_up: named } = llm.toToolContext(nameTools({ look_up: look })).functionTools;
  expect(named).toMatchObject({ name: 'look_up', description: 'Looks.' });
  const result = await runInCall(call('a'), () => named?.execute({}, {} as never));
  expect(result).toBe('seen');
  expect(running).toEqual(['a', 'look_up']);
});

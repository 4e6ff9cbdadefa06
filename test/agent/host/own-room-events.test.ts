// SPDX-License-Identifier: Apache-2.0

import { afterAll, beforeEach, describe, expect, it } from '@jest/globals';
import { dispose, Room } from '@livekit/rtc-node';
import { deliverOwnEvents } from '../../../agent/src/host/own-room-events.js';

interface Internals {
  onFfiEvent: (event: object) => Promise<void>;
  processFfiEvent: (event: object) => Promise<void>;
  preConnectEvents: object[];
  ffiHandle: { handle: bigint } | undefined;
  localParticipant: object | undefined;
  info: object | undefined;
}

const internals = (room: Room) => room as unknown as Internals;
const roomEvent = (roomHandle: bigint) => ({
  message: { case: 'roomEvent', value: { roomHandle, message: { case: 'nothing known' } } },
});
const audio = { message: { case: 'audioStreamEvent', value: { streamHandle: 7n } } };
const rpc = { message: { case: 'rpcMethodInvocation', value: { localParticipantHandle: 9n } } };

let room: Room;
let processed: object[];

/** Connected, without a server. */
function connect(): void {
  const inner = internals(room);
  inner.localParticipant = { ffi_handle: { handle: 9n } };
  inner.info = {};
  inner.ffiHandle = { handle: 7n };
}

beforeEach(() => {
  room = new Room();
  processed = [];
  internals(room).processFfiEvent = async (event) => {
    processed.push(event);
  };
});
afterAll(() => dispose());

async function deliver(...events: object[]): Promise<object[]> {
  for (const event of events) await internals(room).onFfiEvent(event);
  return processed;
}

describe('a room', () => {
  it('gets what happens in it, and calls of methods; what it would ignore it does not get', async () => {
    deliverOwnEvents(room);
    connect();
    const own = roomEvent(7n);
    expect(await deliver(audio, own, roomEvent(8n), rpc, audio)).toEqual([own, rpc]);
  });

  it('gets what came before it was connected with the next event of any kind', async () => {
    deliverOwnEvents(room);
    const early = roomEvent(7n);
    expect(await deliver(audio, early)).toEqual([]);
    expect(internals(room).preConnectEvents).toEqual([early]);
    connect();
    expect(await deliver(audio)).toEqual([early, audio]);
    expect(await deliver(audio)).toEqual([early, audio]);
  });

  it('is left alone when it has another shape', () => {
    const other = {};
    deliverOwnEvents(other as Room);
    expect(other).toEqual({});
  });
});

describe('rtc-node has not changed:', () => {
  it('the listener belongs to each room, so that it can be replaced before connect registers it', async () => {
    expect(Object.hasOwn(room, 'onFfiEvent')).toBe(true);
    expect(internals(room).preConnectEvents).toEqual([]);
    connect();
    // Without us it gets everything.
    expect(await deliver(audio, rpc)).toEqual([audio, rpc]);
    expect(String(Room.prototype.connect)).toMatch(/\.on\([\s\S]*this\.onFfiEvent/);
  });

  it('a room ignores all but its own room events and calls of methods', () => {
    const source = String(internals(new Room()).processFfiEvent);
    expect(source.match(/message\.case ?(===?|!==?) ?["'](\w+)["']/g)?.slice(0, 2)).toEqual([
      expect.stringContaining('rpcMethodInvocation'),
      expect.stringMatching(/!=.*roomEvent/),
    ]);
  });
});

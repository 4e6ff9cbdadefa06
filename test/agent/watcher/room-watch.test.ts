// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from '@jest/globals';
import { RoomWatch } from '../../../agent/src/watcher/room-watch.js';
import type { RoomDispatch, RoomMember } from '../../../agent/src/watcher/rooms-api.js';
import { ManualClock } from '../../support/manual-clock.js';

const AGENT = 'agent';
const CALLER: RoomMember = { identity: 'caller', kind: 'caller', joinedAt: 0 };
const DISPATCH: RoomDispatch = {
  ...{ id: 'AD', agentName: AGENT, metadata: '', deployment: '' },
  ...{ restartPolicy: 0, createdAt: 0, jobs: [] },
};

/** A list of one room, whose caller has just come. */
function rig() {
  const clock = new ManualClock();
  const watch = new RoomWatch(clock, AGENT, () => clock.now());
  const list = () =>
    watch.list([{ name: 'room', sid: 'RM', participants: 1, publishers: 1, metadata: '' }]);
  /** Whether the room is to be looked at after so long. */
  const due = async (ms: number) => {
    await clock.pass(ms);
    list();
    return watch.due().includes('room');
  };
  list();
  return { watch, due };
}

describe('a room whose job this worker has accepted', () => {
  it('is not to be looked at for 2 s: its agent is on its way', async () => {
    const { watch, due } = rig();
    expect(watch.due()).toEqual(['room']);
    watch.accepted('RM');
    expect(await due(0)).toBe(false);
    expect(await due(1_900)).toBe(false);
    expect(await due(200)).toBe(true);
  });

  it('is to be looked at when the call has ended', async () => {
    const { watch, due } = rig();
    watch.accepted('RM');
    watch.ended('RM');
    expect(await due(0)).toBe(true);
  });

  it('is to be looked at when its caller had been waiting', async () => {
    const { watch, due } = rig();
    watch.checked('room', [CALLER], [DISPATCH]);
    watch.accepted('RM');
    expect(await due(1_100)).toBe(true);
  });

  it('is not to be looked at when its caller had been there before anybody wanted an agent', async () => {
    const { watch, due } = rig();
    watch.checked('room', [CALLER]);
    watch.accepted('RM');
    expect(await due(1_100)).toBe(false);
  });

  it('says nothing of another room with the same name', async () => {
    const { watch, due } = rig();
    watch.accepted('RM_before');
    expect(await due(0)).toBe(true);
  });
});

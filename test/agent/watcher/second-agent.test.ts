// SPDX-License-Identifier: Apache-2.0

import { EventEmitter } from 'node:events';
import { describe, expect, test } from '@jest/globals';
import { RoomEvent } from '@livekit/rtc-node';
import { hasAgent, whenReplaced } from '../../../agent/src/watcher/second-agent.js';

describe('the agent that finds another one in its room', () => {
  const AGENT_KIND = 4;
  const room = (identity: string, kind: number, attributes: Record<string, string> = {}) =>
    ({
      remoteParticipants: new Map([[identity, { identity, info: { kind }, attributes }]]),
    }) as never;

  test.each([
    ['another agent of its name', room('agent-AJ_1', AGENT_KIND, { 'lk.agent_name': 'a' }), true],
    ['an agent without a name', room('agent-AJ_1', AGENT_KIND), true],
    ['somebody else’s agent', room('agent-AJ_1', AGENT_KIND, { 'lk.agent_name': 'b' }), false],
    ['a caller who is called agent', room('agent-x', 0), false],
    ['nobody', { remoteParticipants: new Map() } as never, false],
  ])('%s: %s', (_who, where, answered) => {
    expect(hasAgent(where, 'a')).toBe(answered);
  });
});

describe('the agent whose connection was lost, and that is back in its room', () => {
  const AGENT_KIND = 4;
  const back = (...others: { identity: string; tracks: number; kind?: number }[]) => {
    const room = Object.assign(new EventEmitter(), {
      remoteParticipants: new Map(
        others.map(({ identity, tracks, kind = AGENT_KIND }) => [
          identity,
          {
            ...{ identity, info: { kind }, attributes: {} },
            trackPublications: new Map(Array.from({ length: tracks }, (_, i) => [i, {}])),
          },
        ]),
      ),
    });
    let replaced = 0;
    whenReplaced(room as never, 'a', () => {
      replaced += 1;
    });
    room.emit(RoomEvent.Reconnected);
    return replaced;
  };

  test('leaves it to another one that serves the caller by then', () => {
    expect(
      back({ identity: 'caller', tracks: 1, kind: 0 }, { identity: 'agent-AJ_2', tracks: 1 }),
    ).toBe(1);
  });

  test('stays when nobody else has come, or one that is about to leave', () => {
    expect(back({ identity: 'caller', tracks: 1, kind: 0 })).toBe(0);
    expect(back({ identity: 'agent-AJ_2', tracks: 0 })).toBe(0);
  });
});

// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from '@jest/globals';
import {
  CallerChoice,
  type CallerRules,
  type ChosenCallers,
  parseAttributeCondition,
  type RoomParticipant,
} from '../../../agent/src/call/caller-choice.js';

let joined = 0;

/** Somebody in a room: standard, with a microphone, unless told otherwise. */
function one(identity: string, given: Partial<RoomParticipant> = {}): RoomParticipant {
  joined += 1;
  return {
    identity,
    sid: `PA_${identity}_${joined}`,
    kind: 'standard',
    attributes: {},
    metadata: '',
    mayPublishAudio: true,
    publishesAudio: true,
    joinedAt: joined,
    ...given,
  };
}
const silent = { publishesAudio: false } as const;

/** A room over time: `at` says who is in it then; who is missing has left. */
class RoomInTime {
  readonly #choice: CallerChoice;
  #here: RoomParticipant[] = [];
  last: ChosenCallers = { identities: [] };

  constructor(rules: Partial<CallerRules> = {}) {
    this.#choice = new CallerChoice({ heard: 'first', ...rules });
  }

  at(seconds: number, here: RoomParticipant[], how: 'hung up' | 'lost' = 'hung up'): ChosenCallers {
    const now = seconds * 1_000;
    for (const gone of this.#here.filter((was) => !here.some(({ sid }) => sid === was.sid)))
      this.#choice.left(gone.identity, how === 'lost', now);
    this.#here = here;
    this.last = this.#choice.update(here, now);
    return this.last;
  }
}

describe('the caller', () => {
  it.each<[string, RoomParticipant[], string[], Partial<CallerRules>]>([
    ['is the one with a microphone', [one('supervisor', silent), one('ann')], ['ann'], {}],
    ['is the first of two with a microphone', [one('ann'), one('ben')], ['ann'], {}],
    ['is the telephone', [one('supervisor'), one('phone', { kind: 'sip' })], ['phone'], {}],
    [
      'is the telephone before it has a track',
      [one('supervisor'), one('phone', { kind: 'sip', ...silent })],
      ['phone'],
      {},
    ],
    ['may come by a connector', [one('app', { kind: 'connector', ...silent })], ['app'], {}],
    ['is no other agent', [one('agent-2', { kind: 'agent' })], [], {}],
    ['is no recorder', [one('EG_1', { kind: 'egress' }), one('ann')], ['ann'], {}],
    ['is no ingest', [one('IN_1', { kind: 'ingress' }), one('ann')], ['ann'], {}],
    ['is no camera', [one('camera', { kind: 'bridge' })], [], {}],
    [
      'is no avatar of an agent',
      [one('avatar', { attributes: { 'lk.publish_on_behalf': 'agent-1' } }), one('ann')],
      ['ann'],
      {},
    ],
    [
      'is nobody who may not publish audio',
      [one('viewer', { mayPublishAudio: false, ...silent }), one('ann')],
      ['ann'],
      {},
    ],
    ['are both, with heard=all', [one('ann'), one('ben')], ['ann', 'ben'], { heard: 'all' }],
    [
      'are all with audio only',
      [one('ann'), one('viewer', silent), one('rec', { kind: 'egress' })],
      ['ann'],
      { heard: 'all' },
    ],
  ])('%s', (_title, here, expected, rules) => {
    expect(new RoomInTime(rules).at(0, here).identities).toEqual(expected);
  });

  it.each<[string, Partial<RoomParticipant>, boolean]>([
    ['role', { attributes: { role: '' } }, true],
    ['role', {}, false],
    ['role=caller', { attributes: { role: 'caller' } }, true],
    ['role=caller', { attributes: { role: 'supervisor' } }, false],
    ['role=caller', { metadata: '{"role":"caller"}' }, true],
    ['role=caller', { metadata: 'role=caller' }, false],
    ['level=3', { metadata: '{"level":3}' }, true],
    ['role!=supervisor', {}, true],
    ['role!=supervisor', { metadata: '{"role":"supervisor"}' }, false],
    ['role!=supervisor', { metadata: 'null' }, true],
  ])('with the attribute %s, %j is the caller: %s', (text, given, expected) => {
    const attribute = parseAttributeCondition(text);
    if (!attribute) throw new Error(`not parsed: ${text}`);
    const { identities } = new RoomInTime({ attribute }).at(0, [one('ann', given)]);
    expect(identities).toEqual(expected ? ['ann'] : []);
  });

  it('may have no audio; of several without it the first is taken after two seconds', () => {
    expect(new RoomInTime().at(0, [one('ann', silent)]).identities).toEqual(['ann']);
    const room = new RoomInTime();
    const both = [one('ann', silent), one('ben', silent)];
    expect(room.at(0, both)).toEqual({ identities: [], againInMs: 2_000 });
    expect(room.at(1.5, both)).toEqual({ identities: [], againInMs: 500 });
    expect(room.at(2, both)).toEqual({ identities: ['ann'], change: 'found' });
  });

  it('without audio makes room for somebody who has it, who then stays', () => {
    const room = new RoomInTime();
    const supervisor = one('supervisor', silent);
    expect(room.at(0, [supervisor]).identities).toEqual(['supervisor']);
    const ann = one('ann', silent);
    expect(room.at(60, [supervisor, ann]).identities).toEqual(['supervisor']);
    const speaking = { ...ann, publishesAudio: true };
    expect(room.at(61, [supervisor, speaking])).toMatchObject({
      identities: ['ann'],
      change: 'replaced',
    });
    const talking = { ...supervisor, publishesAudio: true };
    expect(room.at(62, [talking, speaking]).identities).toEqual(['ann']);
    // A caller who takes the microphone away for a while is no less the caller.
    expect(room.at(63, [talking, ann]).identities).toEqual(['ann']);
  });

  it('stays the caller when a telephone joins', () => {
    const room = new RoomInTime();
    const ann = one('ann');
    room.at(0, [ann]);
    expect(room.at(9, [ann, one('human', { kind: 'sip' })]).identities).toEqual(['ann']);
  });

  it('who comes back is followed, with or without a moment of absence', () => {
    const room = new RoomInTime();
    room.at(0, [one('ann')]);
    expect(room.at(5, [], 'lost').identities).toEqual([]);
    const again = one('ann');
    expect(room.at(8, [again])).toEqual({ identities: ['ann'], change: 'returned' });
    expect(room.at(9, [again])).toEqual({ identities: ['ann'] });
    expect(room.at(10, [one('ann')])).toEqual({ identities: ['ann'], change: 'returned' });
  });

  it('who is known from before is the caller again, whoever else is there', () => {
    const choice = new CallerChoice({ heard: 'first' });
    choice.expect('ann');
    const here = [one('supervisor'), one('ann', silent)];
    expect(choice.update(here, 0)).toMatchObject({ identities: ['ann'], change: 'returned' });
  });

  it.each<[string, 'hung up' | 'lost', number, string[]]>([
    ['who joins afterwards replaces the caller', 'hung up', 70, ['ben']],
    ['who joined just before the connection was lost does, too', 'lost', 50, ['ben']],
    ['who joined just before the caller hung up is a bystander', 'hung up', 50, []],
    ['who was there all along is a bystander', 'lost', 10, []],
  ])('%s', (_title, how, joinsAt, expected) => {
    const room = new RoomInTime();
    const ann = one('ann');
    const ben = one('ben');
    room.at(0, [ann]);
    if (joinsAt < 60) room.at(joinsAt, [ann, ben]);
    room.at(60, joinsAt < 60 ? [ben] : [], how);
    expect(room.at(80, [ben]).identities).toEqual(expected);
  });

  it('is no bystander who takes a microphone later', () => {
    const room = new RoomInTime();
    const ann = one('ann');
    const supervisor = one('supervisor', silent);
    room.at(0, [supervisor, ann]);
    room.at(40, [supervisor], 'lost');
    expect(room.at(41, [{ ...supervisor, publishesAudio: true }]).identities).toEqual([]);
  });

  it('is the next of those who are heard, with heard=all', () => {
    const room = new RoomInTime({ heard: 'all' });
    const ann = one('ann');
    const ben = one('ben');
    expect(room.at(0, [ann, ben]).identities).toEqual(['ann', 'ben']);
    expect(room.at(40, [ben])).toMatchObject({ identities: ['ben'], change: 'replaced' });
    expect(room.at(41, [])).toEqual({ identities: [], hungUp: true });
  });

  it('hung up, or was lost', () => {
    const room = new RoomInTime();
    room.at(0, [one('ann')]);
    expect(room.at(5, [], 'lost')).toEqual({ identities: [] });
    room.at(6, [one('ann')]);
    expect(room.at(7, [], 'hung up')).toEqual({ identities: [], hungUp: true });
  });
});

describe('an attribute condition', () => {
  it.each([
    ['role', { key: 'role', negated: false }],
    ['lk.role=caller', { key: 'lk.role', value: 'caller', negated: false }],
    ['role != caller', undefined],
    ['role=', { key: 'role', value: '', negated: false }],
    [' role!=a=b ', { key: 'role', value: 'a=b', negated: true }],
    ['=caller', undefined],
    ['', undefined],
  ])('%j', (text, expected) => {
    expect(parseAttributeCondition(text)).toEqual(expected);
  });
});

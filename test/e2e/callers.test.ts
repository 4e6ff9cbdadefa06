// SPDX-License-Identifier: Apache-2.0

// Who the caller is in a room with other people: a real LiveKit server, the real worker, the emulator. Two rooms at a time.

import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { dispose, TrackSource } from '@livekit/rtc-node';
import { SpeechSynthesizer } from 'nova-sonic-emulator/speech';
import { DIAL_FAILURE_TOPIC } from '../../agent/src/phone/dial-failure.js';
import { type DevEnvironment, startDevEnvironment } from '../../local/dev/dev-environment.js';
import { type PersonOptions, RoomPerson } from './room-person.js';
import { directory } from './support.js';

/** How long the agent waits for a caller who is gone, in seconds. */
const WAIT_FOR_CALLER_S = 10;

const SCENARIO = `
turns:
  - { on: text, match: pressed, reply: 'Thank you, one two.', repeat: true }
  - { on: text, match: Greet, reply: Hello there., repeat: true }
  - { on: speech, user: Can you hear me?, reply: Yes., repeat: true }
`;

let environment: DevEnvironment;
let speech: Int16Array;
const people: RoomPerson[] = [];

async function enter(room: string, identity: string, options?: PersonOptions): Promise<RoomPerson> {
  const person = await RoomPerson.join(environment.livekit, room, identity, options);
  people.push(person);
  return person;
}

/** A caller with a microphone. */
async function call(
  room: string,
  identity = 'caller',
  options?: PersonOptions,
): Promise<RoomPerson> {
  const caller = await enter(room, identity, options);
  await caller.publish();
  return caller;
}

beforeAll(async () => {
  process.env.WAIT_FOR_CALLER_S = String(WAIT_FOR_CALLER_S);
  const scenario = join(directory('callers'), 'scenario.yaml');
  writeFileSync(scenario, SCENARIO);
  speech = await new SpeechSynthesizer().say(
    'Can you hear me?',
    { locale: 'en-US', register: 'feminine' },
    48_000,
  );
  environment = await startDevEnvironment({
    bedrock: 'emulator',
    scenario,
    onStatus: () => {},
    onWorkerLine: (line) => {
      if (process.env.WORKER_LOG) appendFileSync(process.env.WORKER_LOG, `${line}\n`);
    },
  });
}, 240_000);

afterAll(async () => {
  delete process.env.WAIT_FOR_CALLER_S;
  await Promise.all(people.map((person) => person.leave()));
  await dispose();
  await environment?.stop();
}, 60_000);

async function inRoom(name: string, run: (room: string) => Promise<void>): Promise<void> {
  const room = name.replaceAll(/\W+/g, '-');
  try {
    await run(room);
  } finally {
    const here = people.filter((person) => person.name === room);
    await Promise.all(here.map((person) => person.leave()));
  }
}

/** Runs two rooms at a time; each is a test of its own. */
function inRooms(rooms: Record<string, (room: string) => Promise<void>>): void {
  const results = new Map<string, Promise<void>>();
  beforeAll(() => {
    let free: Promise<unknown>[] = [Promise.resolve(), Promise.resolve()];
    for (const [name, run] of Object.entries(rooms)) {
      const [next, ...others] = free;
      const result = Promise.resolve(next).then(() => inRoom(name, run));
      results.set(name, result);
      free = [...others, result.catch(() => {})];
    }
  });
  it.each(Object.keys(rooms))(
    '%s',
    async (name) => {
      await results.get(name);
    },
    120_000,
  );
}

describe('is the caller, who is heard,', () => {
  inRooms({
    'with a supervisor there first': async (room) => {
      await enter(room, 'supervisor');
      await (await call(room)).isHeard(speech);
    },
    'with a supervisor there first who may not speak': async (room) => {
      await enter(room, 'supervisor', { grants: { canPublish: false } });
      await (await call(room)).isHeard(speech);
    },
    'with an ingest there first': async (room) => {
      await (await enter(room, 'IN_1', { kind: 'ingress' })).publish();
      await (await call(room)).isHeard(speech);
    },
    'with a recorder there first': async (room) => {
      await enter(room, 'EG_1', { kind: 'egress', grants: { hidden: false } });
      await (await call(room)).isHeard(speech);
    },
    'with a track of unknown source': async (room) => {
      const caller = await enter(room, 'caller');
      await caller.publish({ source: TrackSource.SOURCE_UNKNOWN });
      await caller.isHeard(speech);
    },
    'with two microphones': async (room) => {
      const caller = await call(room);
      await caller.publish();
      await caller.isHeard(speech);
    },
  });
});

describe('is the caller', () => {
  inRooms({
    'who publishes late': async (room) => {
      const caller = await enter(room, 'caller');
      await caller.until('the greeting', () => caller.agentSounds.length > 0);
      await caller.publish();
      await caller.isHeard(speech);
    },
    'who is muted at first': async (room) => {
      const caller = await enter(room, 'caller');
      const microphone = await caller.publish({ muted: true });
      await caller.until('the greeting', () => caller.agentSounds.length > 0);
      microphone.mute(false);
      await caller.isHeard(speech);
    },
    'who comes back with the same identity': async (room) => {
      const caller = await call(room);
      await caller.isHeard(speech);
      await caller.lose();
      await (await call(room)).isHeard(speech);
    },
    'who replaces one whose connection was lost': async (room) => {
      const caller = await call(room);
      await caller.isHeard(speech);
      await caller.lose();
      await (await call(room, 'another')).isHeard(speech);
    },
    'until nobody comes back, though somebody else stays': async (room) => {
      const caller = await call(room);
      await caller.isHeard(speech);
      const bystander = await enter(room, 'bystander', { grants: { canPublish: false } });
      const lost = Date.now();
      await caller.lose();
      await bystander.until('the agent leaves', () => bystander.agentLeftAt > 0);
      expect(bystander.endReason).toBe('no_caller');
      expect(bystander.agentLeftAt - lost).toBeGreaterThan((WAIT_FOR_CALLER_S - 1) * 1_000);
    },
  });
});

const CALLS_IN: PersonOptions = {
  kind: 'sip',
  attributes: { 'sip.callStatus': 'ringing', 'sip.ruleID': 'SDR_1' },
};

describe('a telephone', () => {
  inRooms({
    'that rings hears nothing, is greeted when it is answered, and its keys are told': async (
      room,
    ) => {
      const phone = await enter(room, 'phone', {
        kind: 'sip',
        attributes: { 'sip.callStatus': 'dialing', 'sip.phoneNumber': '+15551234567' },
      });
      // A ringing tone, as some trunks send it.
      const tone = Int16Array.from({ length: 48_000 }, (_, i) =>
        i < 24_000 ? 8_000 * Math.sin((2 * Math.PI * 425 * i) / 48_000) : 0,
      );
      await phone.publish({ background: tone });
      await phone.until('the agent listens', () => phone.agentListens);
      await phone.setAttributes({ 'sip.callStatus': 'ringing' });
      await new Promise((resolve) => setTimeout(resolve, 2_000));
      expect(phone.agentSounds).toEqual([]);
      expect(phone.questions).toBe(0);
      const answered = Date.now();
      await phone.setAttributes({ 'sip.callStatus': 'active' });
      await phone.until('the greeting', () => phone.agentSounds.length > 0);
      const after = (phone.agentSounds[0] ?? 0) - answered;
      process.stderr.write(`the greeting came ${after} ms after the answer\n`);
      expect(after).toBeGreaterThan(0);
      await phone.until('the agent listens', () => phone.agentListens);
      for (const [code, key] of ['1', '2'].entries())
        await phone.room.localParticipant?.publishDtmf(code + 1, key);
      await phone.room.localParticipant?.publishDtmf(11, '#');
      await phone.until('the keys are told', () => phone.said('The caller pressed 1 2'));
    },
    // LiveKit's SIP service answers a caller's phone when it has the agent's track.
    'that calls in rings until the agent is there, and is greeted when it is answered': async (
      room,
    ) => {
      const phone = await call(room, 'phone', CALLS_IN);
      await phone.until('the agent listens', () => phone.agentListens);
      await phone.until('its track', () => phone.hasAgentTrack);
      expect(phone.agentSounds).toEqual([]);
      await phone.setAttributes({ 'sip.callStatus': 'active' });
      await phone.until('the greeting', () => phone.agentSounds.length > 0);
    },
    'that calls in and hangs up while it rings ends the call': async (room) => {
      const watcher = await enter(room, 'watcher', { grants: { canPublish: false } });
      const phone = await call(room, 'phone', CALLS_IN);
      await phone.until('the agent listens', () => phone.agentListens);
      await phone.leave();
      await watcher.until('the agent leaves', () => watcher.agentLeftAt > 0);
      expect(watcher.endReason).toBe('participant_disconnected');
      expect(watcher.agentSounds).toEqual([]);
    },
    'that nobody answers ends the call': async (room) => {
      const watcher = await enter(room, 'watcher', { grants: { canPublish: false } });
      const phone = await enter(room, 'phone', {
        kind: 'sip',
        attributes: { 'sip.callStatus': 'ringing' },
      });
      await phone.publish();
      await phone.until('the agent listens', () => phone.agentListens);
      await phone.lose();
      await watcher.until('the agent leaves', () => watcher.agentLeftAt > 0);
      expect(watcher.endReason).toBe('dial_cancelled');
      expect(watcher.agentSounds).toEqual([]);
    },
    'that is busy ends the call with this reason, when whoever dialed tells it': async (room) => {
      const watcher = await enter(room, 'watcher', { grants: { canPublish: false } });
      const phone = await enter(room, 'phone', {
        kind: 'sip',
        attributes: { 'sip.callStatus': 'ringing' },
      });
      await phone.until('the agent listens', () => phone.agentListens);
      await phone.sendData(DIAL_FAILURE_TOPIC, 'busy');
      await phone.lose();
      await watcher.until('the agent leaves', () => watcher.agentLeftAt > 0);
      expect(watcher.endReason).toBe('busy');
      expect(watcher.agentSounds).toEqual([]);
    },
  });
});

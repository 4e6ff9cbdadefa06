// SPDX-License-Identifier: Apache-2.0
// The framework's WarmTransferTask, awaited by our tool, with the real plugin on both calls: the caller's and that with the
// person. LiveKit's API is the stand-in; rooms are not connected.
import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { initializeLogger, type JobContext, runWithJobContextAsync, voice } from '@livekit/agents';
import { ParticipantKind, Room } from '@livekit/rtc-node';
import type { PhoneCall } from '../../../agent/src/phone/phone-call.js';
import { warmTransferTool } from '../../../agent/src/phone/phone-tools.js';
import {
  Loudspeaker,
  type Rig,
  startRig,
} from '../../packages/livekit-plugin-nova-sonic/support/agent-harness.js';
import {
  ScriptedServer,
  type ScriptedStream,
  welcome,
} from '../../packages/livekit-plugin-nova-sonic/support/scripted-server.js';
import * as serverEvents from '../../packages/livekit-plugin-nova-sonic/support/server-events.js';
import { type SipAnswer, SipServiceStandIn } from '../../support/sip-service.js';

initializeLogger({ pretty: false, level: process.env.TEST_LOG ?? 'silent' });

let sonic: ScriptedServer;
let livekit: SipServiceStandIn;
let rig: Rig;
let transferred: number;

/** A caller's room, with the caller in it. */
class CallerRoom extends EventEmitter {
  readonly name = 'caller-room';
  readonly localParticipant = { identity: 'agent' };
  readonly remoteParticipants = new Map([
    ['caller', { identity: 'caller', kind: ParticipantKind.SIP }],
  ]);
}
let callerRoom: CallerRoom;

beforeEach(async () => {
  process.env.LIVEKIT_API_KEY = 'key';
  process.env.LIVEKIT_API_SECRET = 'a secret of some length....';
  sonic = await ScriptedServer.start(welcome, { delayMs: 40, jitterMs: 13 });
  livekit = await SipServiceStandIn.start();
  callerRoom = new CallerRoom();
  transferred = 0;
  jest.spyOn(Room.prototype, 'connect').mockImplementation(async function (this: Room) {
    Object.defineProperty(this, 'name', { value: 'caller-room-human-agent' });
  });
  jest.spyOn(Room.prototype, 'disconnect').mockResolvedValue(undefined);
  const start = voice.AgentSession.prototype.start;
  jest.spyOn(voice.AgentSession.prototype, 'start').mockImplementation(function (
    this: voice.AgentSession,
    { agent, room },
  ) {
    // The session with the person: a loudspeaker instead of its room.
    if (room) this.output.audio = new Loudspeaker(50);
    return start.call(this, { agent });
  });
});
afterEach(async () => {
  jest.restoreAllMocks();
  await rig.close();
  await sonic.close();
  await livekit.stop();
});

/** The caller asks for a person, and the agent calls one. */
async function transfer(options: { consultTimeout?: number } = {}): Promise<void> {
  const phone = { connected: () => (transferred += 1) } as unknown as PhoneCall;
  const tools = {
    get_person: warmTransferTool(phone, {
      destinations: { sales: '+15550100' },
      trunkId: 'ST_1',
      holdAudio: null,
      ringingTimeout: 1,
      ...options,
    }),
  };
  const context = {
    job: { enableRecording: false },
    simulationContext: () => undefined,
    room: callerRoom,
    info: { url: livekit.url, apiKey: 'key', apiSecret: 'a secret of some length....' },
  } as unknown as JobContext;
  const agent = new voice.Agent({ instructions: 'You are reception.', tools });
  rig = await runWithJobContextAsync(context, () => startRig(sonic.url, { agent, speed: 50 }));
  const stream = await sonic.stream(0);
  stream.send(
    ...serverEvents.userText('Get me somebody.'),
    ...serverEvents.toolUse('get_person', { destination: 'sales' }, 'use-1'),
  );
}

/** The person is greeted, and the model on that call uses a tool. */
async function personAnswers(tool: string, args: object): Promise<ScriptedStream> {
  const stream = await sonic.told(/Greet the person who answered/);
  stream.send(...serverEvents.reply('Hello, I have a caller for you.', 80));
  stream.send(...serverEvents.userText('Fine.'), ...serverEvents.toolUse(tool, args, 'use-2'));
  return stream;
}

/** The model of the caller's call is told the outcome, and says something about it. */
async function told(outcome: RegExp): Promise<void> {
  const stream = await sonic.told(new RegExp(`get_person .*returned .*${outcome.source}`, 's'));
  // Not the one on the call with the person, who may still be there.
  expect(stream.texts[0]).toMatchObject({ role: 'SYSTEM', text: 'You are reception.' });
  stream.send(...serverEvents.reply('So it is.', 80));
  await rig.item('assistant', 'So it is.');
  expect(rig.errors).toEqual([]);
}

const sipAnswers = (method: string, answer: SipAnswer) => livekit.answers.set(method, answer);

test('connected: the person is moved into the room of the caller, and the model is told', async () => {
  await transfer();
  await personAnswers('connect_to_caller', {});
  await told(/"connected":true/);
  expect(livekit.request('CreateSIPParticipant')).toMatchObject({
    sipCallTo: '+15550100',
    roomName: 'caller-room-human-agent',
  });
  expect(livekit.request('MoveParticipant')).toMatchObject({ destinationRoom: 'caller-room' });
  expect(transferred).toBe(1);
});

test.each<[string, () => void, () => Promise<unknown>]>([
  [
    'the person declines',
    () => {},
    () => personAnswers('decline_transfer', { reason: 'in a meeting' }),
  ],
  [
    'the line is busy',
    () =>
      sipAnswers('CreateSIPParticipant', {
        code: 'unavailable',
        httpStatus: 503,
        sipStatus: 486,
      }),
    async () => {},
  ],
  [
    'the SIP service does not answer',
    () => {
      sipAnswers('CreateSIPParticipant', 'silence');
      // The SDK gives up 2 s after the ringing: not so long here.
      const { timeout } = AbortSignal;
      jest.spyOn(AbortSignal, 'timeout').mockImplementation((ms) => timeout(ms / 10));
    },
    async () => {},
  ],
])('%s: the model is told that nobody could take the call', async (_title, prepare, then) => {
  prepare();
  await transfer();
  await then();
  await told(/Nobody could take the call/);
  expect(transferred).toBe(0);
});

test('a person who answers and says nothing keeps the caller no longer than consultTimeout', async () => {
  await transfer({ consultTimeout: 0 });
  await sonic.told(/Greet the person who answered/);
  await told(/Nobody could take the call/);
  expect(transferred).toBe(0);
});

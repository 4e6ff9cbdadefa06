// SPDX-License-Identifier: Apache-2.0

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { initializeLogger, llm, type voice, type workflows } from '@livekit/agents';
import type { Room } from '@livekit/rtc-node';
import { PhoneCall, type PhoneLine } from '../../../agent/src/phone/phone-call.js';
import {
  holdCallTool,
  sendDigitsTool,
  transferCallTool,
  type WarmTransferToolOptions,
  warmTransferTool,
} from '../../../agent/src/phone/phone-tools.js';
import { RoomPhoneLine } from '../../../agent/src/phone/room-phone-line.js';
import { ManualClock, settle } from '../../support/manual-clock.js';
import { type SipAnswer, SipServiceStandIn } from '../../support/sip-service.js';
import { FakePhoneRoom, inbound } from './fake-phone-room.js';

initializeLogger({ pretty: false, level: 'silent' });

const destinations = { sales: '+15550100' };

/** Runs a tool as the framework does. */
function use(tool: unknown, args: object, ctx: object = {}): Promise<unknown> {
  const { execute } = tool as { execute: (args: object, options: never) => unknown };
  const context = { waitForPlayout: async () => {}, ...ctx } as unknown as voice.RunContext;
  return execute(args, { ctx: context } as never) as Promise<unknown>;
}

let service: SipServiceStandIn;
let room: FakePhoneRoom;
let transferred: number;
let clock: ManualClock;

/** A phone call on the line of a room; the SIP service is the stand-in. */
function phoneCall(): PhoneCall {
  const livekit = { url: service.url, apiKey: 'key', apiSecret: 'a secret of some length....' };
  const line = new RoomPhoneLine(room as unknown as Room, room.phone, livekit, () => {
    transferred += 1;
  });
  return new PhoneCall(line, clock);
}

beforeEach(async () => {
  service = await SipServiceStandIn.start();
  room = new FakePhoneRoom();
  transferred = 0;
  clock = new ManualClock();
});
afterEach(() => service.stop());

it('knows its numbers, direction and status', () => {
  const phone = phoneCall();
  expect(phone).toMatchObject({ direction: 'inbound', number: '+15551234567' });
  expect(phone.status).toBe('active');
  expect(phone.answered).toBe(true);
  room.phone.attributes['sip.callStatus'] = 'hangup';
  expect(phone.status).toBe('hangup');
  room.remoteParticipants.clear();
  expect(phone.status).toBe('hangup');
});

describe('the transfer tool', () => {
  it('asks LiveKit for it, and the agent’s part is over', async () => {
    const tool = transferCallTool(phoneCall(), { destinations, ringingTimeout: 15 });
    expect(await use(tool, { destination: 'sales' })).toEqual({ transferred: true });
    expect(service.request('TransferSIPParticipant')).toMatchObject({
      roomName: 'room-1',
      participantIdentity: 'sip_1',
      transferTo: 'tel:+15550100',
      playDialtone: true,
      ringingTimeout: '15s',
    });
    expect(transferred).toBe(1);
  });

  it.each<[string, SipAnswer, RegExp]>([
    ['busy', { code: 'unavailable', httpStatus: 503, sipStatus: 486 }, /^The line is busy\./],
    ['refused', { code: 'aborted', httpStatus: 409, sipStatus: 603 }, /^The call was refused\./],
    ['gone', { code: 'not_found', httpStatus: 404 }, /^The number does not exist, or the call/],
    [
      'not answered',
      { code: 'unavailable', httpStatus: 503, sipStatus: 480 },
      /^Nobody answered\./,
    ],
    [
      'forbidden on the trunk',
      { code: 'internal', httpStatus: 500 },
      /could not connect the call\./,
    ],
  ])('says what to tell the caller when it is %s', async (_title, answer, sentence) => {
    service.answers.set('TransferSIPParticipant', answer);
    const result = await use(transferCallTool(phoneCall(), { destinations }), {
      destination: 'sales',
    });
    expect(result).toEqual({ error: expect.stringMatching(sentence) });
    expect(result).toEqual({ error: expect.stringContaining('still on the line') });
    expect(transferred).toBe(0);
  });

  it('gives up on a SIP service that does not answer', async () => {
    service.answers.set('TransferSIPParticipant', 'silence');
    const result = use(transferCallTool(phoneCall(), { destinations, ringingTimeout: 15 }), {
      destination: 'sales',
    });
    for (let turn = 0; service.requests.length === 0 && turn < 1_000; turn++) await settle();
    await clock.pass(25_000);
    expect(await result).toEqual({ error: expect.stringMatching(/service did not answer/) });
  });

  it('offers the destinations, and nothing else', () => {
    const tool = transferCallTool(phoneCall(), { destinations: { ...destinations, help: '112' } });
    const schema = llm.toJsonSchema(tool.parameters, false);
    expect(JSON.stringify(schema)).toContain('"enum":["sales","help"]');
    expect(JSON.stringify(schema)).not.toContain('5550100');
    expect(() => transferCallTool(phoneCall(), { destinations: {} })).toThrow(
      /needs at least one destination/,
    );
  });

  it('waits until the announcement was heard, but not for ever', async () => {
    let heard: () => void = () => {};
    const waitForPlayout = () =>
      new Promise<void>((resolve) => {
        heard = resolve;
      });
    const result = use(
      transferCallTool(phoneCall(), { destinations }),
      { destination: 'sales' },
      { waitForPlayout },
    );
    await settle();
    expect(service.requests).toEqual([]);
    heard();
    expect(await result).toEqual({ transferred: true });
  });
});

describe('the warm transfer tool', () => {
  type TaskOptions = workflows.WarmTransferTaskOptions;
  const connected = async () => ({ humanAgentIdentity: 'human-agent-sip' });
  const history = llm.ChatContext.empty();
  const ctx = { session: { history } };

  /** The tool, with what the framework's task is given. */
  const make = (
    run: (options: TaskOptions) => Promise<workflows.WarmTransferResult> = connected,
    options: Partial<WarmTransferToolOptions> = {},
  ) => {
    const given: TaskOptions[] = [];
    const createTask = ((task: TaskOptions) => {
      given.push(task);
      return { run: () => run(task) };
    }) as typeof workflows.createWarmTransferTask;
    const all = { destinations, trunkId: 'ST_1', createTask, ...options };
    return { tool: warmTransferTool(phoneCall(), all), given };
  };

  it('is the framework’s, and the agent leaves the two alone', async () => {
    const { tool, given } = make(connected, { ringingTimeout: 20 });
    expect(await use(tool, { destination: 'sales' }, ctx)).toEqual({ connected: true });
    expect(given).toMatchObject([
      { sipCallTo: '+15550100', sipTrunkId: 'ST_1', ringingTimeout: 20_000 },
    ]);
    expect(transferred).toBe(1);
  });

  it('says what to tell the caller when nobody takes the call', async () => {
    const { tool } = make(() => Promise.reject(new llm.ToolError('voicemail detected')));
    expect(await use(tool, { destination: 'sales' }, ctx)).toEqual({
      error: expect.stringMatching(/^Nobody could take the call\. The caller is still on the line/),
    });
    expect(transferred).toBe(0);
  });

  it('gives up on a person who neither takes nor declines the call', async () => {
    // The framework's task ends in the same way when its signal is aborted.
    const forever = ({ abortSignal }: TaskOptions) =>
      new Promise<never>((_, reject) => {
        abortSignal?.addEventListener('abort', () => reject(abortSignal.reason));
      });
    const { tool } = make(forever, { ringingTimeout: 0.005, consultTimeout: 0.005 });
    expect(await use(tool, { destination: 'sales' }, ctx)).toEqual({
      error: expect.stringMatching(/^Nobody could take the call\./),
    });
    expect(transferred).toBe(0);
  });

  it('lets the caller hear the announcement to its end, then music', async () => {
    let heard: () => void = () => {};
    const waitForPlayout = () =>
      new Promise<void>((resolve) => {
        heard = resolve;
      });
    const { tool, given } = make();
    const result = use(tool, { destination: 'sales' }, { ...ctx, waitForPlayout });
    await settle();
    expect(given).toEqual([]);
    heard();
    expect(await result).toEqual({ connected: true });
    // The framework's, unless there is another, or none.
    expect(given[0]).not.toHaveProperty('holdAudio');
    const silent = make(connected, { holdAudio: null });
    await use(silent.tool, { destination: 'sales' }, ctx);
    expect(silent.given[0]?.holdAudio).toBeNull();
  });

  it('has the person greeted with what it is about, and told when the caller hangs up', async () => {
    const { tool, given } = make(connected, { instructions: 'Be brief.' });
    await use(tool, { destination: 'sales' }, ctx);
    const [task] = given;
    expect(task).toMatchObject({ instructions: 'Be brief.' });
    expect(task?.chatCtx).toBe(history);
    const asked: string[] = [];
    const session = {
      generateReply: (of: { instructions: string }) => asked.push(of.instructions),
    };
    for (const speech of [task?.greetingSpeech, task?.callerHangupSpeech])
      (speech as (session: unknown) => unknown)(session);
    expect(asked).toEqual([
      expect.stringMatching(/^Greet the person who answered/),
      expect.stringMatching(/the caller has hung up/),
    ]);
  });
});

describe('the tool that presses keys', () => {
  it('presses them one by one, with pauses', async () => {
    const result = use(sendDigitsTool(phoneCall()), { digits: '1w2#' });
    await clock.pass(0);
    expect(room.keys).toEqual(['1:1']);
    await clock.pass(700);
    expect(room.keys).toEqual(['1:1']);
    await clock.pass(200);
    expect(room.keys).toEqual(['1:1', '2:2']);
    await clock.pass(1_000);
    expect(room.keys).toEqual(['1:1', '2:2', '11:#']);
    expect(await result).toEqual({ sent: true });
  });

  it.each([
    ['what is no key', 'call me', false],
    ['a line that fails', '1', true],
  ])('says so for %s', async (_title, digits, fails) => {
    room.failKeys = fails;
    expect(await use(sendDigitsTool(phoneCall()), { digits })).toEqual({
      error: expect.stringMatching(/^The keys could not be pressed: /),
    });
  });
});

it('the tool that presses keys gives up on a line that does not take them', async () => {
  room.silent = true;
  const result = use(sendDigitsTool(phoneCall()), { digits: '12' });
  await clock.pass(10_000);
  expect(await result).toEqual({ error: expect.stringMatching(/service did not answer/) });
  expect(room.keys).toEqual([]);
});

describe('on hold', () => {
  /** What a session on the line of a room hears, in the order of the changes. */
  const attached = (phoneLine: RoomPhoneLine) => {
    const changes: string[] = [];
    const setAudioEnabled = (on: boolean) => changes.push(on ? 'hears' : 'deaf');
    const session = { input: { setAudioEnabled } } as unknown as voice.AgentSession;
    phoneLine.attach(session, (on) => changes.push(on ? 'on hold' : 'off hold'));
    return changes;
  };

  it('without music there is silence, and the agent hears nothing until it is over', async () => {
    const livekit = { url: service.url, apiKey: 'key', apiSecret: 'a secret of some length....' };
    const phoneLine = new RoomPhoneLine(room as unknown as Room, room.phone, livekit, () => {});
    const changes = attached(phoneLine);
    // A room in which nothing can be published: the music cannot start.
    const result = use(holdCallTool(new PhoneCall(phoneLine, clock)), { seconds: 30 });
    for (let turn = 0; clock.pending === 0 && turn < 1_000; turn++) await settle();
    await clock.pass(29_000);
    expect(changes).toEqual(['on hold', 'deaf']);
    await clock.pass(1_000);
    expect(await result).toMatchObject({ onHoldForSeconds: 30 });
    expect(changes).toEqual(['on hold', 'deaf', 'off hold', 'hears']);
  });

  it('says what to tell the caller who could not be put on hold', async () => {
    const holds: boolean[] = [];
    const broken = line(holds);
    broken.hold = async (on) => {
      holds.push(on);
      if (on) throw new Error('the session is closing');
    };
    expect(await use(holdCallTool(new PhoneCall(broken, clock)), { seconds: 30 })).toEqual({
      error: expect.stringMatching(/^The caller could not be put on hold\./),
    });
    // Whatever had begun is taken back.
    expect(holds).toEqual([true, false]);
    expect(clock.pending).toBe(0);
  });

  const line = (holds: boolean[]): PhoneLine => ({
    attributes: () => inbound,
    transfer: async () => {},
    sendKey: async () => {},
    hold: async (on) => {
      holds.push(on);
    },
    transferred: () => {},
  });

  it('the caller waits for as long as the model says', async () => {
    const holds: boolean[] = [];
    const result = use(holdCallTool(new PhoneCall(line(holds), clock)), { seconds: 30 });
    await clock.pass(29_000);
    expect(holds).toEqual([true]);
    await clock.pass(1_000);
    expect(holds).toEqual([true, false]);
    expect(await result).toMatchObject({ onHoldForSeconds: 30 });
  });

  it('the caller is taken back', async () => {
    const holds: boolean[] = [];
    const phone = new PhoneCall(line(holds), clock);
    const held = phone.hold(60_000);
    await settle();
    phone.resume();
    await held;
    expect(holds).toEqual([true, false]);
    expect(clock.pending).toBe(0);
  });
});

it.each([
  ['transfer', transferCallTool(undefined, { destinations }), { destination: 'sales' }],
  [
    'warm transfer',
    warmTransferTool(undefined, { destinations, trunkId: 'ST_1' }),
    { destination: 'sales' },
  ],
  ['keys', sendDigitsTool(undefined), { digits: '1' }],
  ['hold', holdCallTool(undefined), { seconds: 5 }],
])('without a telephone the tool for %s says so', async (_title, tool, args) => {
  expect(await use(tool, args)).toEqual({ error: expect.stringMatching(/no|not a telephone/) });
});

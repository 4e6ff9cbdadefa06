// SPDX-License-Identifier: Apache-2.0

import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { initializeLogger, voice } from '@livekit/agents';
import { watchIdleCaller } from '../../../agent/src/call/watch-idle-caller.js';
import { answeringMachineTool, answerMachine } from '../../../agent/src/phone/answering-machine.js';

initializeLogger({ pretty: false, level: 'silent' });
const { AgentSessionEventTypes: Events } = voice;

/** A session that notes what it is asked for; what it says lasts until `heard`. */
function startSession() {
  const did: unknown[] = [];
  let heard: () => void = () => {};
  const speechHandle = {
    waitForPlayout: () =>
      new Promise<void>((resolve) => {
        heard = resolve;
      }),
  };
  const events = Object.assign(new EventEmitter(), {
    input: { setAudioEnabled: (on: boolean) => did.push(on ? 'hears' : 'deaf') },
    interrupt: () => did.push('interrupt'),
    generateReply: (reply: object) => {
      did.push(reply);
      return speechHandle;
    },
  });
  return {
    did,
    events,
    session: events as unknown as voice.AgentSession,
    speak: () => events.emit(Events.SpeechCreated, { speechHandle }),
    heard: () => heard(),
  };
}

const pass = (ms: number) => jest.advanceTimersByTimeAsync(ms);

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

describe('an answering machine that the model noticed', () => {
  const use = (message: string | undefined, session: voice.AgentSession) => {
    let ended = 0;
    const tool = answeringMachineTool(message === undefined ? {} : { message }, () => {
      ended += 1;
    });
    const result = tool.execute({}, { ctx: { session } } as never);
    return { result, ended: () => ended };
  };

  it('is hung up on without a message', async () => {
    const { session, did } = startSession();
    const { result, ended } = use(undefined, session);
    expect(await result).toEqual({ ended: true });
    expect(ended()).toBe(1);
    expect(did).toEqual([]);
  });

  it('gets the message, unheard, and is hung up on when that was said', async () => {
    const { session, did, speak, heard } = startSession();
    const { result, ended } = use('Please call back.', session);
    expect(await result).toEqual({ next: expect.stringContaining('else: Please call back.') });
    expect(did).toEqual(['deaf']);
    speak();
    await pass(5_000);
    expect(ended()).toBe(0);
    heard();
    await pass(0);
    expect(ended()).toBe(1);
  });

  it.each([
    ['begins with the message', false, 15_000],
    ['ends the message', true, 60_000],
  ])('is hung up on when the model never %s', async (_title, speaks, ms) => {
    const { session, events, speak } = startSession();
    const { ended } = use('Please call back.', session);
    await pass(0);
    if (speaks) speak();
    await pass(ms - 1);
    expect(ended()).toBe(0);
    await pass(2);
    expect(ended()).toBe(1);
    expect(events.listenerCount(Events.SpeechCreated)).toBe(0);
  });
});

describe('an answering machine that a detector noticed', () => {
  it('gets the message', async () => {
    const { session, did, heard } = startSession();
    const left = answerMachine(session, { message: 'Please call back.' });
    await pass(0);
    expect(did).toEqual([
      'deaf',
      'interrupt',
      { instructions: expect.stringContaining('else: Please call back.') },
    ]);
    heard();
    await left;
  });

  it('gets none', async () => {
    const { session, did } = startSession();
    await answerMachine(session, {});
    expect(did).toEqual([]);
  });
});

describe('a caller who says nothing', () => {
  it('is asked in the agent’s own words; then the call ends', async () => {
    const { session, did, heard, events } = startSession();
    let ended = false;
    watchIdleCaller(session, { askAfterS: 10, endAfterS: 30 }, () => {
      ended = true;
    });
    events.emit(Events.AgentStateChanged, { newState: 'speaking' });
    await pass(60_000);
    events.emit(Events.AgentStateChanged, { newState: 'listening' });
    await pass(9_000);
    expect(did).toEqual([]);
    await pass(1_000);
    expect(did).toEqual([{ instructions: expect.stringContaining('still there') }]);
    events.emit(Events.AgentStateChanged, { newState: 'speaking' });
    await pass(2_000);
    heard();
    events.emit(Events.AgentStateChanged, { newState: 'listening' });
    await pass(17_999);
    expect(ended).toBe(false);
    await pass(2);
    expect(ended).toBe(true);
  });

  it.each([
    ['who speaks', Events.UserStateChanged, { newState: 'speaking' }],
    ['who types', Events.ConversationItemAdded, { item: { type: 'message', role: 'user' } }],
    ['when the call is over', Events.Close, {}],
  ])('is not asked %s', async (_title, event, payload) => {
    const { session, did, events } = startSession();
    watchIdleCaller(session, { askAfterS: 10, instructions: 'Ask.' }, () => {});
    await pass(9_000);
    events.emit(event, payload);
    await pass(9_000);
    expect(did).toEqual([]);
  });

  it('is left alone by default', async () => {
    const { session, did } = startSession();
    watchIdleCaller(session, {}, () => did.push('ended'));
    await pass(3_600_000);
    expect(did).toEqual([]);
  });
});

// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from '@jest/globals';
import { AgentTurnTracker } from '../../../../packages/livekit-plugin-nova-sonic/src/turns/agent-turn.js';
import type { Effect } from '../../../../packages/livekit-plugin-nova-sonic/src/turns/effects.js';

const ASKED = { requestedAt: 90, userSpeechEndedAt: 80, toolWaitMs: 5 };
/** `ms` of silence at 24 kHz as the service sends it. */
const sound = (ms: number) => Buffer.alloc(ms * 48).toString('base64');
const tokens = (outputAudio: number) => ({
  inputAudio: 0,
  inputText: 0,
  outputAudio,
  outputText: 0,
});

function begin() {
  const effects: Effect[] = [];
  let ids = 0;
  const agent = new AgentTurnTracker(
    (prefix) => `${prefix}${++ids}`,
    24_000,
    (effect) => effects.push(effect),
  );
  return { agent, effects, types: () => effects.map((e) => e.type) };
}

describe('AgentSpeech', () => {
  test('a reply knows what it answers, when its first sound came, and how long it is', () => {
    const { agent, types } = begin();
    const reply = agent.begin(100, ASKED, 'request-1');
    agent.text(reply, 'Hello.');
    agent.audio(reply, sound(80), 150);
    agent.audio(reply, sound(80), 160);
    expect(agent.close('end_turn', 200)).toBe(reply);
    expect(reply).toMatchObject({
      ...ASKED,
      openedAt: 100,
      firstAudioAt: 150,
      closedAt: 200,
      audioMs: 160,
      interrupted: false,
    });
    expect(types()).toEqual(['generation_opened', 'text', 'audio', 'audio', 'generation_closed']);
  });

  test('a reply is closed once', () => {
    const { agent, types } = begin();
    agent.begin(0, ASKED, undefined);
    agent.close('end_turn', 1);
    expect(agent.close('closed', 2)).toBeUndefined();
    expect(types()).toEqual(['generation_opened', 'generation_closed']);
  });

  test('sentences are emitted with one space between them', () => {
    const { agent, effects } = begin();
    const reply = agent.begin(0, ASKED, undefined);
    for (const text of ['One.', 'Two.', ' Three.']) agent.text(reply, text);
    const texts = effects.flatMap((e) => (e.type === 'text' ? [e.text] : []));
    expect(texts.join('')).toBe('One. Two. Three.');
  });

  test('it counts as audible until its audio has been played, and 600 ms more', () => {
    const { agent } = begin();
    const reply = agent.begin(0, ASKED, undefined);
    agent.audio(reply, sound(1_000), 100);
    agent.audio(reply, sound(1_000), 200);
    agent.close('end_turn', 300);
    expect(agent.silent(2_099)).toBe(false);
    expect(agent.silent(2_100)).toBe(true);
    expect(agent.audibleGeneration(2_699)).toBe(reply);
    expect(agent.audibleGeneration(2_700)).toBeUndefined();
  });

  test('stopped playback does not continue, and an interrupted reply is not interrupted again', () => {
    const { agent } = begin();
    const reply = agent.begin(0, ASKED, undefined);
    agent.audio(reply, sound(60_000), 0);
    agent.close('interrupted', 500);
    expect(reply.interrupted).toBe(true);
    expect(agent.audibleGeneration(500)).toBeUndefined();
    expect(agent.silent(500)).toBe(false);
    agent.stopPlayback(500);
    expect(agent.silent(500)).toBe(true);
  });

  test('one without any event for eight seconds has stalled', () => {
    const { agent } = begin();
    expect(agent.stalled(60_000)).toBe(false);
    const reply = agent.begin(0, ASKED, undefined);
    agent.audio(reply, sound(80), 1_000);
    expect(agent.stalled(9_000)).toBe(false);
    expect(agent.stalled(9_001)).toBe(true);
  });

  test('tokens count once, for the reply that closes next; the rest is left over', () => {
    const { agent } = begin();
    agent.addUsage(tokens(3));
    const first = agent.begin(0, ASKED, undefined);
    agent.addUsage(tokens(4));
    agent.close('end_turn', 1);
    agent.addUsage(tokens(5));
    expect(first.tokens).toEqual(tokens(7));
    expect(agent.takeTokens()).toEqual(tokens(5));
    expect(agent.takeTokens()).toEqual(tokens(0));
  });
});

// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from '@jest/globals';
import { initializeLogger } from '@livekit/agents';
import { parseServerEvent } from '../../../../packages/livekit-plugin-nova-sonic/src/protocol/server-events.js';
import { Conversation } from '../../../../packages/livekit-plugin-nova-sonic/src/turns/conversation.js';
import type { Effect } from '../../../../packages/livekit-plugin-nova-sonic/src/turns/effects.js';
import { replyOf, shuffledConversation } from '../support/random-conversations.js';

initializeLogger({ pretty: false, level: 'silent' });

const SEEDS = Number(process.env.RANDOM_CONVERSATIONS ?? 600);

/** Plays a conversation and checks, at every step, what must always hold. */
function play(seed: number) {
  const { steps, expected } = shuffledConversation(seed);
  let ids = 0;
  const conversation = new Conversation({
    newId: (prefix) => `${prefix}${++ids}`,
    outputSampleRate: 24_000,
  });
  let now = 1_000_000;
  let open: string | undefined;
  const closed = new Set<string>();
  const finals: string[] = [];
  const calls: string[] = [];
  const interrupted = new Set<number>();
  const interims = new Map<string, string>();
  let tokens = 0;
  let used = 0;
  const check = (effects: readonly Effect[]) => {
    for (const effect of effects) {
      switch (effect.type) {
        case 'generation_opened':
          expect(open).toBeUndefined();
          open = effect.response.id;
          break;
        case 'text':
        case 'audio':
        case 'tool_call':
          expect(effect.id).toBe(open);
          if (effect.type === 'tool_call') calls.push(effect.callId);
          if (effect.type === 'audio' && interrupted.has(replyOf(effect.content))) {
            throw new Error(
              `seed ${seed}: audio of reply ${replyOf(effect.content)} after its interruption`,
            );
          }
          break;
        case 'generation_closed':
          expect(effect.response.id).toBe(open);
          expect(closed.has(effect.response.id)).toBe(false);
          closed.add(effect.response.id);
          open = undefined;
          used += effect.response.tokens.inputAudio + effect.response.tokens.outputAudio;
          break;
        case 'transcript':
          expect(effect.text.trim()).not.toBe('');
          interims.set(effect.itemId, effect.text);
          if (effect.final) finals.push(effect.text);
          break;
        default:
          break;
      }
    }
  };
  for (const step of steps) {
    now += 3;
    if ('wait' in step) {
      for (let left = step.wait; left > 0; left -= 100) {
        now += 100;
        check(conversation.tick(now));
      }
    } else if ('answer' in step) expect(conversation.toolAnswered(step.answer, now)).toBe(true);
    else if ('interrupts' in step) interrupted.add(step.interrupts);
    else {
      const event = parseServerEvent({ event: step.event });
      if (event.type === 'usage') tokens += event.delta.inputAudio + event.delta.outputAudio;
      check(conversation.apply(event, { now }));
    }
    // The framework asks for this on its own at every barge-in: it must change nothing.
    if (seed % 3 === 0 && conversation.userSpeaking) check(conversation.interrupt(now));
  }
  const { effects, leftover } = conversation.end(now);
  check(effects);
  expect(open).toBeUndefined();
  expect(conversation.pendingTools.size).toBe(0);
  expect(used + leftover.inputAudio + leftover.outputAudio).toBe(tokens);
  const history = conversation.snapshot();
  const said = (kind: string) =>
    history.flatMap((e) => (e.kind === kind && 'text' in e && e.text.trim() ? [e.text] : []));
  return { expected, finals, calls, history, said };
}

describe('a conversation in every legal order', () => {
  test('seeded conversations keep the invariants', () => {
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const { expected, finals, calls, history, said } = play(seed);
      const context = `seed ${seed}`;
      expect([context, finals]).toEqual([context, expected.users]);
      expect([context, said('user')]).toEqual([context, expected.users]);
      expect([context, calls]).toEqual([context, expected.toolCalls]);
      expect([context, said('assistant')]).toEqual([context, expected.replies.map((r) => r.text)]);
      const cut = history.flatMap((e) => (e.kind === 'assistant' && e.interrupted ? [e.text] : []));
      expect([context, cut]).toEqual([
        context,
        expected.replies.filter((r) => r.interrupted).map((r) => r.text),
      ]);
    }
  });
});

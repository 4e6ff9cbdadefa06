// SPDX-License-Identifier: Apache-2.0
// LiveKit's text input interrupts and asks at once. What is left of the old reply is on its way meanwhile, and belongs
// to nobody: over any network each question gets its own answer.
import { describe, expect, test } from '@jest/globals';
import { initializeLogger } from '@livekit/agents';
import seedrandom from 'seedrandom';
import type { InterruptSigns } from '../support/simulated-sonic.js';
import { VirtualCall } from '../support/virtual-call.js';

initializeLogger({ pretty: false, level: 'silent' });

const broken = () => Object.assign(new Error('broken'), { name: 'ModelStreamErrorException' });

/** Questions per delay and kind of sign; `npm run test:conversations` types 200. */
const QUESTIONS = Number(process.env.TYPED_QUESTIONS ?? 20);

describe.each<InterruptSigns>(['both', 'text', 'stop-reason', 'runs-on'])(
  'typing over a reply that the service ends with: %s',
  (signs) => {
    test.each([0, 20, 60, 150])('%d ms away', async (delayMs) => {
      const random = seedrandom(`typing ${signs} ${delayMs}`);
      const network = { delayMs, jitterMs: delayMs / 3 };
      const call = new VirtualCall({ network, random, signs });
      await call.open();
      const lost: unknown[] = [];
      for (let question = 1; question <= QUESTIONS; question += 1) {
        await call.type(question);
        const answer = () => call.heard.find((h) => h.asked === question);
        const begun = await call.until(() => (answer()?.audio.length ?? 0) > 0, 25);
        if (!begun || answer()?.audio.some((n) => n !== question))
          lost.push([question, answer()?.text, answer()?.audio]);
        // The next one comes while this one is generated, or while it is only played.
        await call.run(random() * 1_500);
      }
      await call.run(5_000);
      expect(lost).toEqual([]);
      expect(call.heard.filter((h) => h.asked === undefined)).toEqual([]);
      for (const h of call.heard) expect([...new Set(h.audio)]).toEqual([h.asked]);
      expect({ bargeIns: call.bargeIns, speechStarts: call.speechStarts }).toEqual({
        bargeIns: 0,
        speechStarts: 0,
      });
      expect(call.errors).toEqual([]);
      await call.close();
    });
  },
);

test('a stream that must be replaced while somebody types without a pause finishes the reply that it has begun', async () => {
  const random = seedrandom('overdue');
  const network = { delayMs: 20, jitterMs: 5 };
  // Due after one second, it waits for a quiet moment until it is overdue 90 s later.
  const call = new VirtualCall({ network, random, model: { renewAfterMs: 1_000 } });
  await call.open();
  const started = call.clock.now();
  for (let question = 1; call.clock.now() < started + 300_000; question += 1) {
    await call.type(question);
    expect(await call.until(() => call.speaking?.asked === question, 25)).toBe(true);
    await call.run(800);
  }
  expect(call.sonic.streams.length).toBeGreaterThanOrEqual(3);
  expect(call.heard.filter(({ cut, asked }) => cut || asked === undefined)).toEqual([]);
  await call.close();
});

test('speech right after an interrupt is answered, and no rest of the old reply is heard', async () => {
  const random = seedrandom('speech');
  const call = new VirtualCall({ network: { delayMs: 60, jitterMs: 20 }, random });
  await call.open();
  for (let question = 1; question <= 20; question += 2) {
    await call.type(question);
    await call.until(() => call.speaking?.asked === question, 25);
    await call.run(random() * 600);
    void call.interrupt();
    await call.speak(question + 1);
    const answered = () => call.heard.some((h) => h.audio.includes(question + 1));
    expect(await call.until(answered)).toBe(true);
    await call.until(() => call.speaking === undefined);
  }
  for (const h of call.heard) expect(new Set(h.audio).size).toBe(1);
  expect(call.heard).toHaveLength(20);
  expect(call.bargeIns).toBe(0);
  expect(call.speechStarts).toBe(10);
  await call.close();
});

test('a question typed before the spoken one is answered has its own answer', async () => {
  for (const delayMs of [0, 20, 60, 150]) {
    const random = seedrandom(`early ${delayMs}`);
    const call = new VirtualCall({ network: { delayMs, jitterMs: delayMs / 3 }, random });
    await call.open();
    for (let question = 1; question <= 40; question += 2) {
      await call.speak(question);
      await call.run(700 + 2 * delayMs + random() * 700);
      await call.type(question + 1);
      const typed = () => call.heard.find((h) => h.audio.includes(question + 1));
      expect(await call.until(() => typed() !== undefined)).toBe(true);
      expect([delayMs, question, typed()?.asked]).toEqual([delayMs, question, question + 1]);
      await call.until(() => call.speaking === undefined);
      await call.run(2_500);
    }
    for (const h of call.heard)
      expect([delayMs, new Set(h.audio).size <= 1]).toEqual([delayMs, true]);
    expect(call.bargeIns).toBe(0);
    await call.close();
  }
});

test('a question that is typed while there is no stream is in the history, which a tool that returns gives back', async () => {
  const random = seedrandom('history');
  const call = new VirtualCall({ network: { delayMs: 20, jitterMs: 5 }, random });
  await call.open();
  const asked = () =>
    call.session.chatCtx.items.flatMap((item) =>
      item.type === 'message' && item.role === 'user' ? [item.textContent] : [],
    );
  await call.type(1, 1);
  await call.until(() => call.toolRuns.size === 1, 10);
  call.sonic.refuse = 3;
  call.sonic.current?.fail(broken());
  await call.run(30);
  await call.type(2);
  expect(asked()).toEqual(['q1 tool?', 'q2?']);
  expect(await call.until(() => call.heard.some((h) => h.asked === 2))).toBe(true);
  expect(asked()).toEqual(['q1 tool?', 'q2?']);
  await call.close();
});

describe('a question that is withdrawn before its reply begins', () => {
  const ask = async (then: (call: VirtualCall) => void) => {
    const random = seedrandom('withdrawn');
    const call = new VirtualCall({ network: { delayMs: 20, jitterMs: 5 }, random });
    await call.open();
    await call.type(1);
    await call.run(50);
    await call.interrupt();
    then(call);
    // Longer than the service may leave a question without an answer.
    await call.run(20_000);
    expect(call.heard).toEqual([]);
    return call;
  };

  test('has its answer discarded, and is not taken for one that nobody answers', async () => {
    const call = await ask(() => {});
    expect(call.abandoned).toEqual(new Set([1]));
    expect(call.errors).toEqual([]);
    expect(call.sonic.streams).toHaveLength(1);
    await call.close();
  });

  test('is not asked again when its stream fails', async () => {
    const call = await ask(({ sonic }) => sonic.current?.fail(broken()));
    expect(call.sonic.streams).toHaveLength(2);
    await call.type(2);
    expect(await call.until(() => call.heard.some(({ audio }) => audio.includes(2)))).toBe(true);
    await call.close();
  });
});

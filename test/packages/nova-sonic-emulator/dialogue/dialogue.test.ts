// SPDX-License-Identifier: Apache-2.0
import { beforeEach, describe, expect, it } from '@jest/globals';
import { AUDIO, BLOCK, DialogueHarness, type SentEvent } from './dialogue-harness.js';

let harness: DialogueHarness;
beforeEach(() => {
  harness = new DialogueHarness([
    { user: 'What is a clock?', reply: 'A clock tells time. It has hands, mostly.' },
    { user: 'And a watch?', reply: 'A watch is a small clock.' },
  ]);
});

describe('a turn', () => {
  it('comes in the documented order', async () => {
    await harness.speak();
    await harness.clock.pass(20_000);
    expect(harness.outline()).toEqual([
      'userSpeechStart',
      'completionStart',
      'userSpeechEnd',
      ...BLOCK('USER', 'What is a clock?'),
      ...BLOCK('ASSISTANT', 'A clock tells time.'),
      ...AUDIO('PARTIAL_TURN'),
      ...BLOCK('ASSISTANT', 'It has hands, mostly.'),
      ...AUDIO('END_TURN'),
      ...BLOCK('ASSISTANT', 'A clock tells time.', 'END_TURN'),
      ...BLOCK('ASSISTANT', 'It has hands, mostly.'),
    ]);
  });

  it('has its texts in the right stages', async () => {
    await harness.speak();
    await harness.clock.pass(20_000);
    const sentences = ['A clock tells time.', 'It has hands, mostly.'];
    expect(harness.texts('USER', 'FINAL')).toEqual(['What is a clock?']);
    expect(harness.texts('ASSISTANT', 'SPECULATIVE')).toEqual(sentences);
    expect(harness.texts('ASSISTANT', 'FINAL')).toEqual(sentences);
  });

  it('carries one completionId; completionStart comes once', async () => {
    await harness.speak();
    await harness.clock.pass(20_000);
    await harness.speak();
    await harness.clock.pass(20_000);
    expect(harness.of('completionStart')).toHaveLength(1);
    const ids = harness.sent
      .filter(({ name }) => !name.startsWith('userSpeech'))
      .map(({ body }) => body.completionId);
    expect(new Set(ids).size).toBe(1);
  });

  it('sends FINAL texts 2.6 to 9 s after the audio, and never before it was heard', async () => {
    await harness.speak();
    await harness.clock.pass(20_000);
    const end = harness.sent.find(
      ({ body }) => body.type === 'AUDIO' && body.stopReason,
    ) as SentEvent;
    const [final] = harness.sent.filter(
      ({ body, t }) => body.additionalModelFields?.includes('FINAL') && t > end.t,
    );
    const last = harness.sent.findLast(
      ({ body }) => body.stopReason === 'END_TURN' && body.type === 'AUDIO',
    ) as SentEvent;
    expect((final as SentEvent).t - last.t).toBeGreaterThanOrEqual(2000);
    expect((final as SentEvent).t - last.t).toBeLessThanOrEqual(9000);
  });

  it('sends FINAL texts at once when the user speaks again after the playback', async () => {
    await harness.speak();
    await harness.clock.pass(4600);
    expect(harness.dialogue.playback.playing).toBe(false);
    expect(harness.texts('ASSISTANT', 'FINAL')).toEqual([]);
    await harness.begin();
    expect(harness.texts('ASSISTANT', 'FINAL')).toHaveLength(2);
    expect(harness.notes.filter(({ name }) => name === 'bargeIn')).toEqual([]);
  });

  it('sends audio of 80 ms every 15.6 ms, the last of up to 200 ms', async () => {
    await harness.speak();
    await harness.clock.pass(20_000);
    const first = harness.of('audioOutput')[0]?.body.contentId;
    const chunks = harness.of('audioOutput').filter(({ body }) => body.contentId === first);
    const bytes = chunks.map(({ body }) => Buffer.byteLength(body.content, 'base64'));
    expect(bytes).toEqual([...Array(10).fill(1280), 3200]);
    const gaps = chunks.slice(1).map(({ t }, i) => t - (chunks[i] as SentEvent).t);
    for (const gap of gaps) expect(gap).toBeCloseTo(15.6, 3);
    const tokens = harness
      .of('usageEvent')
      .map(({ body }) => body.details.delta.output.speechTokens)
      .filter(Boolean);
    // 25 a second: 20 for every 800 ms, the rest at the end.
    expect(tokens).toEqual([20, 20, 20, 15]);
  });
});

describe('usage', () => {
  it('adds its deltas up to its totals', async () => {
    await harness.speak();
    await harness.clock.pass(20_000);
    let input = 0;
    let output = 0;
    for (const { body } of harness.of('usageEvent')) {
      const { delta, total } = body.details;
      input += delta.input.speechTokens + delta.input.textTokens;
      output += delta.output.speechTokens + delta.output.textTokens;
      expect(body.totalInputTokens).toBe(input);
      expect(body.totalOutputTokens).toBe(output);
      expect(body.totalTokens).toBe(input + output);
      expect(total.input.speechTokens + total.input.textTokens).toBe(input);
    }
    expect(output).toBeGreaterThan(75);
  });

  it('comes by itself about 254 ms after promptStart', async () => {
    await harness.clock.pass(1000);
    const times = harness.of('usageEvent').map(({ t }) => t);
    expect(times[0]).toBeGreaterThanOrEqual(250);
    expect(times[0]).toBeLessThan(258);
    expect(times).toHaveLength(4);
  });
});

describe('a barge-in', () => {
  const during = async (ms: number) => {
    await harness.speak();
    await harness.clock.pass(ms);
    const since = harness.clock.now();
    await harness.begin();
    return since;
  };

  it('is the burst of the capture when the audio was sent already', async () => {
    // Both sentences are sent within a second and heard for three.
    const since = await during(2300);
    expect(harness.outline(since)).toEqual([
      'userSpeechStart',
      ...BLOCK('ASSISTANT', '{ "interrupted" : true }', 'INTERRUPTED'),
      ...BLOCK('ASSISTANT', 'A clock tells time.'),
      ...BLOCK('ASSISTANT', 'It'),
    ]);
    const burst = harness.sent.filter(({ t }) => t >= since);
    expect((burst.at(-1) as SentEvent).name).toBe('usageEvent');
    expect((burst.at(-1) as SentEvent).t - (burst[0] as SentEvent).t).toBeLessThan(3);
  });

  it('closes an open AUDIO block as INTERRUPTED, and sends nothing more of the reply', async () => {
    const since = await during(700);
    expect(harness.outline(since).slice(0, 2)).toEqual([
      'userSpeechStart',
      'contentEnd AUDIO INTERRUPTED',
    ]);
    const audio = harness.of('audioOutput').length;
    await harness.clock.pass(30_000);
    expect(harness.of('audioOutput')).toHaveLength(audio);
    expect(harness.texts('ASSISTANT', 'SPECULATIVE')).not.toContain('It has hands, mostly.');
  });

  it('does not happen after the playback', async () => {
    const since = await during(4600);
    expect(harness.outline(since)).not.toContain('textOutput { "interrupted" : true }');
  });

  it('shortens the pause that ends the turn', async () => {
    expect(harness.dialogue.endpointing('MEDIUM').pauseMs).toBe(1600);
    await during(1500);
    expect(harness.dialogue.endpointing('MEDIUM').pauseMs).toBe(720);
    await harness.finish(720);
    await harness.clock.pass(5000);
    expect(harness.texts('ASSISTANT', 'SPECULATIVE').at(-1)).toBe('A watch is a small clock.');
    expect(harness.dialogue.endpointing('LOW').pauseMs).toBe(1850);
  });

  it('may show as userSpeechStart alone', async () => {
    harness.quirks.bareBargeIn = true;
    const since = await during(1500);
    expect(harness.outline(since)).toEqual(['userSpeechStart']);
  });

  it('by typed text has no userSpeechStart', async () => {
    await harness.speak();
    await harness.clock.pass(1500);
    const since = harness.clock.now();
    harness.dialogue.typedText('Greet the caller.');
    expect(harness.outline(since).slice(0, 3)).toEqual(
      BLOCK('ASSISTANT', '{ "interrupted" : true }', 'INTERRUPTED'),
    );
    await harness.clock.pass(3000);
    expect(harness.texts('ASSISTANT', 'SPECULATIVE').at(-1)).toMatch(/\w/);
  });
});

describe('a user who continues speaking', () => {
  it('postpones the reply, and gets one for all of it', async () => {
    harness = new DialogueHarness([{ user: ['What time', 'is it?'], reply: 'Late.' }]);
    await harness.speak();
    await harness.clock.pass(150);
    await harness.speak();
    await harness.clock.pass(20_000);
    expect(harness.texts('USER', 'FINAL')).toEqual(['What time', 'is it?']);
    expect(harness.texts('ASSISTANT', 'SPECULATIVE')).toEqual(['Late.']);
    expect(harness.of('userSpeechEnd')).toHaveLength(2);
  });

  it('is detected sooner than one who starts', async () => {
    expect(harness.dialogue.endpointing('HIGH').startMs).toBe(352);
    await harness.speak();
    await harness.clock.pass(250);
    expect(harness.dialogue.endpointing('HIGH').startMs).toBe(80);
  });

  it('gets a placeholder transcript beyond what the scenario says', async () => {
    await harness.speak();
    await harness.clock.pass(150);
    await harness.speak();
    await harness.clock.pass(20_000);
    expect(harness.texts('USER', 'FINAL')).toEqual(['What is a clock?', '[1.0 s of speech]']);
  });
});

describe('the end', () => {
  it('is completionEnd after promptEnd, and nothing after it', async () => {
    await harness.speak();
    await harness.clock.pass(900);
    const ended = harness.dialogue.promptEnd();
    await harness.clock.pass(30_000);
    await ended;
    expect(harness.outline().at(-1)).toBe('completionEnd END_TURN');
    expect(harness.of('completionEnd')).toHaveLength(1);
    expect(harness.clock.pending).toBe(0);
  });

  it('is an InternalServerException when the emulator itself fails', async () => {
    const fail = () => {
      throw new Error('no words');
    };
    harness = new DialogueHarness([], { script: { take: fail } });
    await harness.speak();
    await harness.clock.pass(1000);
    expect(harness.failures).toMatchObject([{ type: 'internalServerException' }]);
    expect(harness.failures[0]?.why).toContain('no words');
  });

  it('leaves no timer behind', async () => {
    await harness.speak();
    await harness.clock.pass(900);
    harness.dialogue.close();
    const before = harness.sent.length;
    await harness.clock.pass(30_000);
    expect(harness.sent).toHaveLength(before);
    expect(harness.clock.pending).toBe(0);
  });
});

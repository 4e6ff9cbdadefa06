// SPDX-License-Identifier: Apache-2.0
import { beforeEach, describe, expect, it } from '@jest/globals';
import { AUDIO, BLOCK, type Sent, Stage } from './dialogue-harness.js';

let stage: Stage;
beforeEach(() => {
  stage = new Stage([
    { user: 'What is a clock?', reply: 'A clock tells time. It has hands, mostly.' },
    { user: 'And a watch?', reply: 'A watch is a small clock.' },
  ]);
});

describe('a turn', () => {
  it('comes in the documented order', async () => {
    await stage.speak();
    await stage.clock.advance(20_000);
    expect(stage.outline()).toEqual([
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
    await stage.speak();
    await stage.clock.advance(20_000);
    const sentences = ['A clock tells time.', 'It has hands, mostly.'];
    expect(stage.texts('USER', 'FINAL')).toEqual(['What is a clock?']);
    expect(stage.texts('ASSISTANT', 'SPECULATIVE')).toEqual(sentences);
    expect(stage.texts('ASSISTANT', 'FINAL')).toEqual(sentences);
  });

  it('carries one completionId; completionStart comes once', async () => {
    await stage.speak();
    await stage.clock.advance(20_000);
    await stage.speak();
    await stage.clock.advance(20_000);
    expect(stage.of('completionStart')).toHaveLength(1);
    const ids = stage.sent
      .filter(({ name }) => !name.startsWith('userSpeech'))
      .map(({ body }) => body.completionId);
    expect(new Set(ids).size).toBe(1);
  });

  it('sends FINAL texts 2.6 to 9 s after the audio, and never before it was heard', async () => {
    await stage.speak();
    await stage.clock.advance(20_000);
    const end = stage.sent.find(({ body }) => body.type === 'AUDIO' && body.stopReason) as Sent;
    const [final] = stage.sent.filter(
      ({ body, t }) => body.additionalModelFields?.includes('FINAL') && t > end.t,
    );
    const last = stage.sent.findLast(
      ({ body }) => body.stopReason === 'END_TURN' && body.type === 'AUDIO',
    ) as Sent;
    expect((final as Sent).t - last.t).toBeGreaterThanOrEqual(2000);
    expect((final as Sent).t - last.t).toBeLessThanOrEqual(9000);
  });

  it('sends FINAL texts at once when the user speaks again after the playback', async () => {
    await stage.speak();
    await stage.clock.advance(4600);
    expect(stage.conversation.playback.playing).toBe(false);
    expect(stage.texts('ASSISTANT', 'FINAL')).toEqual([]);
    await stage.begin();
    expect(stage.texts('ASSISTANT', 'FINAL')).toHaveLength(2);
    expect(stage.notes.filter(({ name }) => name === 'bargeIn')).toEqual([]);
  });

  it('sends audio of 80 ms every 15.6 ms, the last of up to 200 ms', async () => {
    await stage.speak();
    await stage.clock.advance(20_000);
    const first = stage.of('audioOutput')[0]?.body.contentId;
    const chunks = stage.of('audioOutput').filter(({ body }) => body.contentId === first);
    const bytes = chunks.map(({ body }) => Buffer.byteLength(body.content, 'base64'));
    expect(bytes).toEqual([...Array(10).fill(1280), 3200]);
    const gaps = chunks.slice(1).map(({ t }, i) => t - (chunks[i] as Sent).t);
    for (const gap of gaps) expect(gap).toBeCloseTo(15.6, 3);
    const tokens = stage
      .of('usageEvent')
      .map(({ body }) => body.details.delta.output.speechTokens)
      .filter(Boolean);
    // 25 a second: 20 for every 800 ms, the rest at the end.
    expect(tokens).toEqual([20, 20, 20, 15]);
  });
});

describe('usage', () => {
  it('adds its deltas up to its totals', async () => {
    await stage.speak();
    await stage.clock.advance(20_000);
    let input = 0;
    let output = 0;
    for (const { body } of stage.of('usageEvent')) {
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
    await stage.clock.advance(1000);
    const times = stage.of('usageEvent').map(({ t }) => t);
    expect(times[0]).toBeGreaterThanOrEqual(250);
    expect(times[0]).toBeLessThan(258);
    expect(times).toHaveLength(4);
  });
});

describe('a barge-in', () => {
  const during = async (ms: number) => {
    await stage.speak();
    await stage.clock.advance(ms);
    const since = stage.clock.now();
    await stage.begin();
    return since;
  };

  it('is the burst of the capture when the audio was sent already', async () => {
    // Both sentences are sent within a second and heard for three.
    const since = await during(2300);
    expect(stage.outline(since)).toEqual([
      'userSpeechStart',
      ...BLOCK('ASSISTANT', '{ "interrupted" : true }', 'INTERRUPTED'),
      ...BLOCK('ASSISTANT', 'A clock tells time.'),
      ...BLOCK('ASSISTANT', 'It'),
    ]);
    const burst = stage.sent.filter(({ t }) => t >= since);
    expect((burst.at(-1) as Sent).name).toBe('usageEvent');
    expect((burst.at(-1) as Sent).t - (burst[0] as Sent).t).toBeLessThan(3);
  });

  it('closes an open AUDIO block as INTERRUPTED, and sends nothing more of the reply', async () => {
    const since = await during(700);
    expect(stage.outline(since).slice(0, 2)).toEqual([
      'userSpeechStart',
      'contentEnd AUDIO INTERRUPTED',
    ]);
    const audio = stage.of('audioOutput').length;
    await stage.clock.advance(30_000);
    expect(stage.of('audioOutput')).toHaveLength(audio);
    expect(stage.texts('ASSISTANT', 'SPECULATIVE')).not.toContain('It has hands, mostly.');
  });

  it('does not happen after the playback', async () => {
    const since = await during(4600);
    expect(stage.outline(since)).not.toContain('textOutput { "interrupted" : true }');
  });

  it('shortens the pause that ends the turn', async () => {
    expect(stage.conversation.endpointing('MEDIUM').pauseMs).toBe(1600);
    await during(1500);
    expect(stage.conversation.endpointing('MEDIUM').pauseMs).toBe(720);
    await stage.finish(720);
    await stage.clock.advance(5000);
    expect(stage.texts('ASSISTANT', 'SPECULATIVE').at(-1)).toBe('A watch is a small clock.');
    expect(stage.conversation.endpointing('LOW').pauseMs).toBe(1850);
  });

  it('may show as userSpeechStart alone', async () => {
    stage.quirks.bareBargeIn = true;
    const since = await during(1500);
    expect(stage.outline(since)).toEqual(['userSpeechStart']);
  });

  it('by typed text has no userSpeechStart', async () => {
    await stage.speak();
    await stage.clock.advance(1500);
    const since = stage.clock.now();
    stage.conversation.typed('Greet the caller.');
    expect(stage.outline(since).slice(0, 3)).toEqual(
      BLOCK('ASSISTANT', '{ "interrupted" : true }', 'INTERRUPTED'),
    );
    await stage.clock.advance(3000);
    expect(stage.texts('ASSISTANT', 'SPECULATIVE').at(-1)).toMatch(/\w/);
  });
});

describe('a user who goes on speaking', () => {
  it('postpones the reply, and gets one for all of it', async () => {
    stage = new Stage([{ user: ['What time', 'is it?'], reply: 'Late.' }]);
    await stage.speak();
    await stage.clock.advance(150);
    await stage.speak();
    await stage.clock.advance(20_000);
    expect(stage.texts('USER', 'FINAL')).toEqual(['What time', 'is it?']);
    expect(stage.texts('ASSISTANT', 'SPECULATIVE')).toEqual(['Late.']);
    expect(stage.of('userSpeechEnd')).toHaveLength(2);
  });

  it('is heard sooner than one who begins', async () => {
    expect(stage.conversation.endpointing('HIGH').startMs).toBe(352);
    await stage.speak();
    await stage.clock.advance(250);
    expect(stage.conversation.endpointing('HIGH').startMs).toBe(80);
  });

  it('gets an honest transcript beyond what the scenario says', async () => {
    await stage.speak();
    await stage.clock.advance(150);
    await stage.speak();
    await stage.clock.advance(20_000);
    expect(stage.texts('USER', 'FINAL')).toEqual(['What is a clock?', '[1.0 s of speech]']);
  });
});

describe('the end', () => {
  it('is completionEnd after promptEnd, and nothing after it', async () => {
    await stage.speak();
    await stage.clock.advance(900);
    const ended = stage.conversation.promptEnd();
    await stage.clock.advance(30_000);
    await ended;
    expect(stage.outline().at(-1)).toBe('completionEnd END_TURN');
    expect(stage.of('completionEnd')).toHaveLength(1);
    expect(stage.clock.pending).toBe(0);
  });

  it('is an InternalServerException when the emulator itself fails', async () => {
    const fail = () => {
      throw new Error('no words');
    };
    stage = new Stage([], { script: { take: fail } });
    await stage.speak();
    await stage.clock.advance(1000);
    expect(stage.failures).toMatchObject([{ type: 'internalServerException' }]);
    expect(stage.failures[0]?.why).toContain('no words');
  });

  it('leaves no timer behind', async () => {
    await stage.speak();
    await stage.clock.advance(900);
    stage.conversation.close();
    const before = stage.sent.length;
    await stage.clock.advance(30_000);
    expect(stage.sent).toHaveLength(before);
    expect(stage.clock.pending).toBe(0);
  });
});

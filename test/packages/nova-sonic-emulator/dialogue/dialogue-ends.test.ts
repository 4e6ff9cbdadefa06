// SPDX-License-Identifier: Apache-2.0
// What must not happen twice, and what must not happen after the end of a dialogue.
import { describe, expect, it } from '@jest/globals';
import { DialogueHarness } from './dialogue-harness.js';

const spoken = (harness: DialogueHarness) => harness.texts('ASSISTANT', 'SPECULATIVE');
const call = (harness: DialogueHarness, name: string) =>
  harness.of('toolUse').find(({ body }) => body.toolName === name)?.body.toolUseId;
/** Input tokens of texts, of each usage event that has any. */
const typedTokens = (harness: DialogueHarness) =>
  harness
    .of('usageEvent')
    .map(({ body }) => body.details.delta.input.textTokens)
    .filter(Boolean);

describe('after the end', () => {
  it.each<[string, (harness: DialogueHarness) => unknown]>([
    ['a question', (harness) => harness.dialogue.typedText('Hello?')],
    ['a tool’s result', (harness) => harness.dialogue.toolResult(call(harness, 'clock'), {})],
    ['speech', (harness) => harness.begin()],
    ['the end of speech', (harness) => harness.finish()],
    ['noise', (harness) => harness.dialogue.falseSpeech(0, 50)],
  ])('%s is not answered', async (_, act) => {
    const harness = new DialogueHarness([
      { user: 'What time is it?', tools: [{ name: 'clock' }], reply: 'Nine.' },
      { user: 'Hello?', reply: 'Hello.' },
    ]);
    await harness.speak();
    await harness.clock.pass(2_000);
    harness.dialogue.close();
    const before = harness.sent.length;
    await act(harness);
    await harness.clock.pass(20_000);
    expect(harness.sent.slice(before)).toEqual([]);
    expect(harness.clock.pending).toBe(0);
    expect(harness.failures).toEqual([]);
  });

  it('replies that waited for their turn are not said, nor are FINAL texts', async () => {
    const harness = new DialogueHarness([
      { on: 'text', reply: 'One, two.' },
      { on: 'text', reply: 'Three.' },
    ]);
    harness.dialogue.typedText('A?');
    harness.dialogue.typedText('B?');
    await harness.clock.pass(1_500);
    expect(spoken(harness)).toEqual(['One, two.']);
    harness.dialogue.close();
    expect(harness.dialogue.playback.playing).toBe(false);
    const before = harness.sent.length;
    await harness.clock.pass(30_000);
    expect(harness.sent).toHaveLength(before);
  });
});

describe('once', () => {
  it('a result is taken, and answered', async () => {
    const harness = new DialogueHarness([
      { user: 'What time is it?', tools: [{ name: 'clock' }], reply: 'It is {{clock.time}}.' },
    ]);
    await harness.speak();
    await harness.clock.pass(2_000);
    expect(harness.dialogue.toolPending).toBe(true);
    for (const time of ['nine', 'ten']) {
      harness.dialogue.toolResult(call(harness, 'clock'), { time });
      await harness.clock.pass(9_000);
    }
    expect(harness.dialogue.toolPending).toBe(false);
    expect(spoken(harness)).toEqual(['It is nine.']);
  });

  it('the tokens of a typed text are counted, also when its reply is put off', async () => {
    const harness = new DialogueHarness([
      { on: 'text', reply: 'One. Two.' },
      { user: 'Hm.', reply: 'Yes.' },
    ]);
    await harness.clock.pass(1_000);
    const before = typedTokens(harness).length;
    harness.dialogue.typedText('Sixteen letters.');
    await harness.clock.pass(100);
    // Somebody speaks before the reply begins, which then comes after the answer to that.
    await harness.speak();
    await harness.clock.pass(20_000);
    expect(spoken(harness)).toEqual(['One.', 'Two.', 'Yes.']);
    const counted = typedTokens(harness).slice(before);
    expect(counted.filter((tokens) => tokens === 4)).toHaveLength(1);
  });

  it('a scenario interrupts its reply, and not what is said after it', async () => {
    const harness = new DialogueHarness([
      { on: 'text', steps: [{ interrupt: 300 }, { say: 'One, two.' }, { say: 'Three.' }] },
      { on: 'text', reply: 'Four, five.' },
    ]);
    harness.dialogue.typedText('A?');
    await harness.clock.pass(9_000);
    const barged = () => harness.notes.filter(({ name }) => name === 'bargeIn');
    expect(barged().map(({ body }) => body)).toEqual([{ cause: 'scenario' }]);
    expect(spoken(harness)).toEqual(['One, two.']);
    harness.dialogue.typedText('B?');
    await harness.clock.pass(9_000);
    expect(barged()).toHaveLength(1);
    expect(spoken(harness)).toEqual(['One, two.', 'Four, five.']);
  });

  it('a scenario does not interrupt a reply that somebody has interrupted before', async () => {
    const harness = new DialogueHarness([
      { on: 'text', interrupt: 4_000, reply: 'One, two, three, four, five, six, seven, eight.' },
      { on: 'text', reply: 'Four, five, six, seven, eight.' },
    ]);
    harness.dialogue.typedText('A?');
    await harness.clock.pass(2_500);
    harness.dialogue.typedText('B?');
    await harness.clock.pass(9_000);
    const barged = harness.notes.filter(({ name }) => name === 'bargeIn');
    expect(barged.map(({ body }) => body)).toEqual([{ cause: 'text' }]);
  });

  it('a block of audio is closed', async () => {
    const harness = new DialogueHarness([
      { user: 'Hi.', reply: 'One, two.' },
      { user: 'No.', reply: 'Three.' },
    ]);
    await harness.speak();
    await harness.clock.pass(1_500);
    // All of it is sent and still heard when the user speaks.
    expect(harness.outline().at(-1)).toBe('contentEnd AUDIO END_TURN');
    await harness.begin();
    await harness.finish(720);
    await harness.clock.pass(9_000);
    const ends = harness
      .of('contentEnd')
      .filter(({ body }) => body.type === 'AUDIO')
      .map(({ body }) => body.contentId);
    expect(new Set(ends).size).toBe(ends.length);
    expect(ends).toHaveLength(2);
  });
});

describe('noise that is taken for speech', () => {
  it('delays a reply that had not begun, and is no turn of the user', async () => {
    const harness = new DialogueHarness([{ user: 'Hi.', reply: 'Hello.' }]);
    await harness.speak();
    // The end of speech is told, the reply is some 300 ms away.
    await harness.clock.pass(300);
    expect(harness.of('userSpeechEnd')).toHaveLength(1);
    harness.dialogue.falseSpeech(5_000, 500);
    await harness.clock.pass(450);
    expect(spoken(harness)).toEqual([]);
    await harness.clock.pass(9_000);
    expect(spoken(harness)).toEqual(['Hello.']);
    expect(harness.texts('USER', 'FINAL')).toEqual(['Hi.']);
    expect(harness.of('userSpeechEnd').at(-1)?.body).toMatchObject({
      inputAudioOffsetMs: 5_500,
      inputAudioDetectionOffsetMs: 5_500,
    });
  });

  it('ends a reply, and with it the shorter pause of a barge-in', async () => {
    const harness = new DialogueHarness([{ user: 'Hi.', reply: 'One, two. Three, four.' }]);
    await harness.speak();
    await harness.clock.pass(700);
    harness.dialogue.falseSpeech(5_000, 500);
    await harness.clock.pass(100);
    expect(harness.dialogue.endpointing('MEDIUM').pauseMs).toBe(720);
    await harness.clock.pass(9_000);
    expect(harness.dialogue.endpointing('MEDIUM').pauseMs).toBe(1_600);
    expect(spoken(harness)).toEqual(['One, two.']);
  });
});

it('a barge-in over, the next turn has the usual pause again', async () => {
  const harness = new DialogueHarness([
    { user: 'Hi.', reply: 'One, two.' },
    { user: 'Wait.', reply: 'Yes.' },
  ]);
  await harness.speak();
  await harness.clock.pass(1_500);
  await harness.begin();
  expect(harness.dialogue.endpointing('MEDIUM').pauseMs).toBe(720);
  await harness.finish(720);
  await harness.clock.pass(250);
  expect(harness.dialogue.endpointing('MEDIUM').pauseMs).toBe(1_600);
});

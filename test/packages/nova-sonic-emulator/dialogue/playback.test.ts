// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from '@jest/globals';
import type { OutputEvents } from '../../../../packages/nova-sonic-emulator/src/dialogue/output-events.js';
import {
  Playback,
  spokenPart,
} from '../../../../packages/nova-sonic-emulator/src/dialogue/playback.js';
import {
  NO_QUIRKS,
  PROFILES,
} from '../../../../packages/nova-sonic-emulator/src/dialogue/profile.js';
import { SeededRandom } from '../../../../packages/nova-sonic-emulator/src/random.js';
import { ManualClock } from '../../../support/manual-clock.js';

function begin(quirks = NO_QUIRKS, finalText: number | [number, number] = 2_000) {
  const clock = new ManualClock();
  const sent: string[] = [];
  const output = {
    sendText: (...[role, stage, text, stop]: string[]) =>
      sent.push(`${clock.now()} ${role} ${stage} ${text} ${stop}`),
  };
  const profile = { ...PROFILES.capture, finalText };
  const playback = new Playback(
    clock,
    output as unknown as OutputEvents,
    profile,
    new SeededRandom(1),
    () => quirks,
  );
  return { clock, sent, playback };
}

describe('what the listener hears', () => {
  it('is one sentence after the other, also one that comes after a pause', async () => {
    const { clock, playback } = begin();
    expect(playback.playing).toBe(false);
    playback.add('One.', 1_000);
    playback.add('Two.', 500);
    await clock.pass(1_499);
    expect(playback.playing).toBe(true);
    await clock.pass(1);
    expect(playback.playing).toBe(false);
    await clock.pass(1_000);
    playback.add('Three.', 100);
    await clock.pass(99);
    expect(playback.playing).toBe(true);
    await clock.pass(1);
    expect(playback.playing).toBe(false);
  });

  it('is told as FINAL texts, the first with the end of the turn, when the profile says so', async () => {
    const { clock, playback, sent } = begin();
    playback.add('One.', 1_000);
    playback.add('Two.', 500);
    playback.scheduleFinalTexts();
    await clock.pass(1_999);
    expect(sent).toEqual([]);
    await clock.pass(10_000);
    expect(sent).toEqual([
      '2000 ASSISTANT FINAL One. END_TURN',
      '2000 ASSISTANT FINAL Two. PARTIAL_TURN',
    ]);
    playback.sendFinalTexts();
    expect(sent).toHaveLength(2);
    expect(clock.pending).toBe(0);
  });

  it('is not told before it was heard', async () => {
    const { clock, playback, sent } = begin();
    playback.add('A long one.', 5_000);
    playback.scheduleFinalTexts();
    await clock.pass(4_999);
    expect(sent).toEqual([]);
    await clock.pass(1);
    expect(sent).toHaveLength(1);
  });

  it('is told together with the sentence that follows before it is due', async () => {
    const { clock, playback, sent } = begin();
    playback.add('One.', 1_000);
    playback.scheduleFinalTexts();
    playback.scheduleFinalTexts();
    expect(clock.pending).toBe(1);
    await clock.pass(1_500);
    playback.add('Two.', 1_000);
    expect(clock.pending).toBe(0);
    await clock.pass(5_000);
    expect(sent).toEqual([]);
    playback.scheduleFinalTexts();
    await clock.pass(5_000);
    expect(sent.map((line) => line.split(' ')[3])).toEqual(['One.', 'Two.']);
  });

  it('is told as far as it was heard after an interruption', async () => {
    const { clock, playback, sent } = begin();
    playback.add('One two three four.', 1_000);
    playback.add('Five six seven eight.', 1_000);
    playback.add('Nine.', 1_000);
    await clock.pass(1_600);
    playback.sendSpokenTexts();
    expect(sent).toEqual([
      '1600 ASSISTANT FINAL One two three four. PARTIAL_TURN',
      '1600 ASSISTANT FINAL Five six PARTIAL_TURN',
    ]);
    expect(playback.playing).toBe(false);
  });

  it('is forgotten when it is cleared, and never told where the service does not', async () => {
    const cleared = begin();
    cleared.playback.add('One.', 1_000);
    cleared.playback.scheduleFinalTexts();
    cleared.playback.clear();
    expect(cleared.playback.playing).toBe(false);
    expect(cleared.clock.pending).toBe(0);
    cleared.playback.sendFinalTexts();
    expect(cleared.sent).toEqual([]);
    const { clock, playback, sent } = begin({ ...NO_QUIRKS, noFinalText: true });
    playback.add('One.', 1_000);
    playback.scheduleFinalTexts();
    await clock.pass(10_000);
    expect(sent).toEqual([]);
  });
});

it.each([
  [-0.1, ''],
  [0, ''],
  [0.24, ''],
  [0.25, 'One'],
  [0.99, 'One two  three'.replace('  ', ' ')],
  [1, 'One two  three four.'],
  [7, 'One two  three four.'],
])('of a sentence, a share of %d is "%s"', (share, spoken) => {
  expect(spokenPart('One two  three four.', share)).toBe(spoken);
});

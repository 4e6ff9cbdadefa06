// SPDX-License-Identifier: Apache-2.0
// What a user's audio and texts set off: the detector, the idle limits, and typed text once there was enough audio.
import { describe, expect, it } from '@jest/globals';
import type { Dialogue } from '../../../../packages/nova-sonic-emulator/src/dialogue/dialogue.js';
import type { EmulatorConfig } from '../../../../packages/nova-sonic-emulator/src/options.js';
import type { SessionLimits } from '../../../../packages/nova-sonic-emulator/src/session/session-limits.js';
import { UserInput } from '../../../../packages/nova-sonic-emulator/src/session/user-input.js';
import { settle } from '../../../support/manual-clock.js';

/** Silence of so many milliseconds, or a sound. */
const pcm = (ms: number, rate = 16_000, sample = 0) =>
  Buffer.from(new Int16Array((ms * rate) / 1000).fill(sample).buffer);

function begin(config: Partial<EmulatorConfig> = {}) {
  const told: unknown[] = [];
  const errors: unknown[] = [];
  const limits = { audio: () => told.push('audio'), interaction: () => told.push('interaction') };
  const asked: unknown[] = [];
  const dialogue = {
    endpointing: (sensitivity: unknown) => {
      asked.push(sensitivity);
      return { startMs: 64, pauseMs: 96 };
    },
    speechEvent: ({ kind, offsetMs }: { kind: string; offsetMs: number }) =>
      told.push([kind, offsetMs]),
    typedText: (text: string) => told.push(text),
    falseSpeech: (...noise: number[]) => told.push(['noise', ...noise]),
  };
  const context = {
    config: {
      limits: { primingAudioMs: 66 },
      noise: 'ignored',
      otherVoices: 'heard',
      ...config,
    } as EmulatorConfig,
    createVad: () => ({
      predict: async (samples: Int16Array) => {
        if (samples[256] === 13) throw new Error('the detector is broken');
        return samples[256] === 8_000 ? 1 : 0;
      },
    }),
  };
  const input = new UserInput(
    context,
    dialogue as unknown as Dialogue,
    limits as unknown as SessionLimits,
    (error) => errors.push(error),
  );
  const take = () => told.splice(0);
  return { input, take, errors, asked };
}

describe('what a user does', () => {
  it('counts for the idle limits: audio as audio, speech and texts as interaction', async () => {
    const { input, take } = begin();
    input.startAudio(16_000);
    input.audio(pcm(32));
    expect(take()).toEqual(['audio']);
    input.typed('Hi.');
    expect(take()).toEqual(['interaction']);
    for (let i = 0; i < 4; i++) input.audio(pcm(32, 16_000, 8_000));
    for (let i = 0; i < 4; i++) input.audio(pcm(32));
    await settle();
    expect(take().filter((what) => what !== 'audio')).toEqual([
      'Hi.',
      'interaction',
      ['start', 32],
      'interaction',
      ['end', 160],
    ]);
  });

  it.each([8_000, 16_000, 24_000])(
    'typed text waits for 66 ms of audio at %i Hz, and is answered once',
    (rate) => {
      const { input, take } = begin();
      input.startAudio(rate);
      input.typed('One.');
      input.audio(pcm(32, rate));
      input.audio(pcm(33, rate));
      input.typed('Two.');
      expect(take()).toEqual(['interaction', 'audio', 'audio', 'interaction']);
      input.audio(pcm(2, rate));
      expect(take()).toEqual(['audio', 'One.', 'Two.']);
      input.audio(pcm(32, rate));
      input.typed('Three.');
      expect(take()).toEqual(['audio', 'interaction', 'Three.']);
    },
  );

  it('is heard with the sensitivity that was asked for', async () => {
    const { input, asked } = begin();
    input.sensitivity = 'HIGH';
    input.startAudio(16_000);
    input.audio(pcm(64, 16_000, 8_000));
    await settle();
    expect(new Set(asked)).toEqual(new Set(['HIGH']));
  });

  it('ends the session when the detector fails', async () => {
    const { input, errors } = begin();
    input.startAudio(16_000);
    input.audio(pcm(64, 16_000, 13));
    await settle();
    expect(errors).toEqual([new Error('the detector is broken')]);
  });
});

describe('noise', () => {
  const loud = (input: UserInput) => {
    for (let i = 0; i < 20; i++) input.audio(pcm(32, 16_000, 2_000));
  };
  const noises = (told: unknown[]) => told.filter((what) => Array.isArray(what));

  it('is taken for speech only where that is set', async () => {
    const deaf = begin();
    deaf.input.startAudio(16_000);
    loud(deaf.input);
    await settle();
    expect(noises(deaf.take())).toEqual([]);
    const { input, take } = begin({ noise: 'false-speech' });
    input.startAudio(16_000);
    loud(input);
    await settle();
    expect(noises(take())).toEqual([['noise', expect.any(Number), 480]]);
  });

  it('of a fault comes at the end of the audio so far, and not before there is any', async () => {
    const { input, take } = begin();
    input.falseSpeech(50);
    expect(take()).toEqual([]);
    input.startAudio(16_000);
    input.audio(pcm(96));
    await settle();
    take();
    input.falseSpeech(50);
    expect(take()).toEqual([['noise', 96, 50]]);
  });
});

// SPDX-License-Identifier: Apache-2.0
import type { Sensitivity } from '../protocol/events.js';
import type { SeededRandom } from '../random.js';

/** A delay in milliseconds: fixed, or drawn from [low, high) with the seed. */
export type Delay = number | readonly [low: number, high: number];

/** Deviations that the real service shows at times. */
export interface Quirks {
  /** The USER text arrives before userSpeechEnd. */
  textBeforeSpeechEnd: boolean;
  /** A barge-in shows as userSpeechStart alone, without the interrupted texts. */
  bareBargeIn: boolean;
  /** The assistant's FINAL texts are never sent. */
  noFinalText: boolean;
  /** Typed text is followed by an empty USER text (pipecat #4042). */
  emptyUserText: boolean;
  /** Typed text interrupts the reply and is not answered (seen on 2.5). */
  typedTextIgnored: boolean;
}

/**
 * When the emulator does what. Defaults (`capture`) from the real capture (README.md, evidence C);
 * all in milliseconds.
 */
export interface Profile {
  /** promptStart -> first usageEvent. */
  firstUsage: Delay;
  /** First usageEvent -> the next two. */
  nextUsage: readonly [Delay, Delay];
  /** Audio from the first voiced sample until the start of speech is detected. */
  speechStart: number;
  /** The same for a user who speaks again before the reply has started (capture: 87 ms). */
  speechResume: number;
  /** Start detected -> userSpeechStart sent. */
  speechStartLag: Delay;
  /** Audio of silence that ends a turn, per sensitivity: the documented pause minus the lag below. */
  pause: Record<Sensitivity, number>;
  /** The same for a turn that began as a barge-in. */
  bargeInPause: number;
  /** End detected -> userSpeechEnd sent. */
  speechEndLag: Delay;
  /** userSpeechEnd -> the USER text. */
  transcript: Delay;
  /** userSpeechEnd -> the first SPECULATIVE text or tool call. */
  think: Delay;
  /** Typed text -> the first SPECULATIVE text. */
  thinkTyped: Delay;
  /** The last tool result -> the first SPECULATIVE text. */
  thinkTool: Delay;
  /** SPECULATIVE text -> AUDIO contentStart. */
  textToAudio: Delay;
  /** Between two audioOutput events; 0 sends them all at once. */
  chunkInterval: number;
  /** Last audioOutput -> AUDIO contentEnd. */
  audioEnd: Delay;
  /** End of the reply's audio -> FINAL text, at least; and never before the playback is over. */
  finalText: Delay;
  /** promptEnd -> completionEnd. */
  completionEnd: Delay;
}

export const NO_QUIRKS: Quirks = {
  textBeforeSpeechEnd: false,
  bareBargeIn: false,
  noFinalText: false,
  emptyUserText: false,
  typedTextIgnored: false,
};

const CAPTURE: Profile = {
  firstUsage: [250, 258],
  nextUsage: [
    [28, 32],
    [72, 76],
  ],
  speechStart: 352,
  speechResume: 80,
  speechStartLag: [12, 24],
  pause: { HIGH: 1350, MEDIUM: 1600, LOW: 1850 },
  bargeInPause: 720,
  speechEndLag: [132, 196],
  transcript: [0.5, 1.5],
  think: [300, 322],
  thinkTyped: [440, 1215],
  thinkTool: [440, 1215],
  textToAudio: [124, 131],
  chunkInterval: 15.6,
  audioEnd: [18, 24],
  finalText: [2600, 9000],
  completionEnd: [20, 40],
};

export const PROFILES: Record<'capture' | 'fast', Profile> = {
  capture: CAPTURE,
  fast: {
    firstUsage: 5,
    nextUsage: [1, 1],
    speechStart: 192,
    speechResume: 64,
    speechStartLag: 0,
    pause: { HIGH: 384, MEDIUM: 448, LOW: 512 },
    bargeInPause: 320,
    speechEndLag: 0,
    transcript: 0,
    think: 5,
    thinkTyped: 5,
    thinkTool: 5,
    textToAudio: 2,
    chunkInterval: 0,
    audioEnd: 0,
    finalText: 0,
    completionEnd: 0,
  },
};

/**
 * What is known to differ on Nova 2.5: a team's measurements in eu-north-1 (2026-10-08). The end of speech is found by
 * its sense, some 400 ms after the last word; a tool is called 266 to 309 ms after userSpeechEnd, the text follows its
 * result by some 335 ms and the audio the text by 117 to 124 ms.
 */
export const NOVA_2_5: Partial<Profile> = {
  pause: { HIGH: 240, MEDIUM: 240, LOW: 240 },
  bargeInPause: 240,
  think: [266, 309],
  thinkTool: [325, 345],
  textToAudio: [117, 124],
};

/** The value of a delay, drawn where it is a range. */
export const draw = (delay: Delay, random: SeededRandom): number =>
  typeof delay === 'number' ? delay : random.between(delay[0], delay[1]);

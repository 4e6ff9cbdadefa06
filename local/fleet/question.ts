// SPDX-License-Identifier: Apache-2.0

import { SpeechSynthesizer } from 'nova-sonic-emulator/speech';
import { PHONE_RATE } from '../audio/g711.js';

/** Equal to LIGHT_RATE, which is not imported: light-caller.ts would load rtc-node into this process. */
const QUESTION_RATE = 16_000;

/** A question as a light caller asks it: mono samples at its rate, 16 kHz, or 8 kHz for a telephone. */
export async function synthesizeQuestion(text: string, phone = false): Promise<Int16Array> {
  const speech = new SpeechSynthesizer();
  const rate = phone ? PHONE_RATE : QUESTION_RATE;
  try {
    return await speech.say(text, { locale: 'en-US', register: 'masculine' }, rate);
  } finally {
    await speech.close();
  }
}

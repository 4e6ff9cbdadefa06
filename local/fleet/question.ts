// SPDX-License-Identifier: Apache-2.0

import { SpeechSynthesizer } from 'nova-sonic-emulator/speech';

/** Equal to LIGHT_RATE, which is not imported: light-caller.ts would load rtc-node into this process. */
const QUESTION_RATE = 16_000;

/** A question as a light caller asks it: mono samples at its rate, 16 kHz. */
export async function synthesizeQuestion(text: string): Promise<Int16Array> {
  const speech = new SpeechSynthesizer();
  try {
    return await speech.say(text, { locale: 'en-US', register: 'masculine' }, QUESTION_RATE);
  } finally {
    await speech.close();
  }
}

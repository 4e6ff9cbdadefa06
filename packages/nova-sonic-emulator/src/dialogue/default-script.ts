// SPDX-License-Identifier: Apache-2.0
import type { SeededRandom } from '../random.js';
import { placeholderTranscript, type Script, type ScriptTurn, sentences } from './script.js';

const WHO = 'I am an emulator of Amazon Nova Sonic, not a language model.';

const HEARD = [
  'I heard you speak, but I cannot tell what you said.',
  'I can hear that you spoke, though words mean nothing to me.',
  'Something was said, and I noticed when it began and when it ended.',
  'Your voice came through clearly, but I do not recognise words.',
];

const MORE = [
  'A scenario file can tell me what to answer.',
  'The sound, the timing and the events are real enough to test with.',
  'Go on, I will keep answering.',
  'You may interrupt me at any time.',
];

const GREETINGS = [
  `Hello! ${WHO} Say something, and I will answer.`,
  `Hi there. ${WHO} Go ahead, I am listening.`,
  `Welcome! ${WHO} What can I pretend to do for you?`,
];

/** The emulator without a scenario: it says what it is and what it cannot do. */
export class DefaultScript implements Script {
  private turns = 0;

  constructor(private readonly random: SeededRandom) {}

  take(kind: 'speech' | 'text', text = ''): ScriptTurn {
    const reply = kind === 'speech' ? this.spoken() : this.typed(text);
    return {
      kind,
      user: text,
      transcript: (_, speechMs) => placeholderTranscript(speechMs),
      steps: sentences(reply).map((say) => ({ say })),
      locale: 'en-US',
    };
  }

  private spoken(): string {
    const who = this.turns++ === 0 ? ` ${WHO}` : '';
    return `${this.random.pick(HEARD)}${who} ${this.random.pick(MORE)}`;
  }

  private typed(text: string): string {
    const wanted = /\bsay(?: exactly)?:?\s+["“](.+?)["”]/is.exec(text)?.[1];
    if (wanted) return wanted;
    if (/\b(greet|welcome|introduce|hello|hi)\b/i.test(text)) return this.random.pick(GREETINGS);
    if (/\b(goodbye|farewell|say bye)\b/i.test(text)) return 'Goodbye, and thank you for calling.';
    const quoted = text.length > 160 ? `${text.slice(0, 160)}…` : text;
    return `I was sent this text: ${quoted.replace(/[.!?…]*$/, '.')} ${WHO}`;
  }
}

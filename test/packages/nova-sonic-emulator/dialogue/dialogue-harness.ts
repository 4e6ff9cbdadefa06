// SPDX-License-Identifier: Apache-2.0

import { DefaultScript } from '../../../../packages/nova-sonic-emulator/src/dialogue/default-script.js';
import {
  Dialogue,
  type DialogueOptions,
} from '../../../../packages/nova-sonic-emulator/src/dialogue/dialogue.js';
import {
  NO_QUIRKS,
  PROFILES,
  type Quirks,
} from '../../../../packages/nova-sonic-emulator/src/dialogue/profile.js';
import type { StreamError } from '../../../../packages/nova-sonic-emulator/src/protocol/errors.js';
import { SeededRandom } from '../../../../packages/nova-sonic-emulator/src/random.js';
import {
  ScenarioScript,
  type ScenarioTurn,
} from '../../../../packages/nova-sonic-emulator/src/scenario/scenario.js';
import { ManualClock } from '../../../support/manual-clock.js';

export interface SentEvent {
  t: number;
  name: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into every field
  body: any;
}

/** Every sentence takes a second, two for those with a comma. */
export const RATE = 8_000;
const lengthMs = (text: string) => (text.includes(',') ? 2000 : 1000);

/** A dialogue on a manual clock, with a user who speaks on request. */
export class DialogueHarness {
  readonly clock = new ManualClock();
  readonly sent: SentEvent[] = [];
  readonly notes: SentEvent[] = [];
  readonly failures: StreamError[] = [];
  readonly quirks: Quirks = { ...NO_QUIRKS };
  readonly dialogue: Dialogue;
  private offset = 0;

  constructor(turns: ScenarioTurn[], options: Partial<DialogueOptions> = {}) {
    const random = new SeededRandom(7);
    this.dialogue = new Dialogue({
      clock: this.clock,
      random,
      profile: PROFILES.capture,
      textToSpeech: {
        say: async (text, _, sampleRate) => new Int16Array((sampleRate * lengthMs(text)) / 1000),
      },
      script: new ScenarioScript({ turns }, new DefaultScript(random)),
      sink: {
        emit: (name, body) => this.sent.push({ t: this.clock.now(), name, body }),
        note: (name, body) => this.notes.push({ t: this.clock.now(), name, body }),
        fail: (error) => this.failures.push(error),
      },
      quirks: () => this.quirks,
      ...options,
    });
    void this.dialogue.start({
      voice: { locale: 'en-US', register: 'feminine' },
      sampleRate: RATE,
      toolNames: new Set(['clock', 'calendar']),
    });
  }

  /** The user speaks for a second; the end is detected `pauseMs` later. */
  async speak(pauseMs = 1600): Promise<void> {
    await this.begin();
    await this.finish(pauseMs);
  }

  async begin(): Promise<void> {
    this.offset = this.clock.now();
    this.dialogue.speechEvent({ kind: 'start', offsetMs: this.offset });
    await this.clock.pass(1000);
  }

  async finish(pauseMs = 1600): Promise<void> {
    const offsetMs = this.clock.now();
    await this.clock.pass(pauseMs);
    this.dialogue.speechEvent({
      kind: 'end',
      offsetMs,
      detectedMs: offsetMs + pauseMs,
      speechMs: 1000,
    });
    await this.clock.pass(0);
  }

  /** Texts of a role and stage, in order. */
  texts(role: string, stage: string): string[] {
    const stages = new Map(
      this.of('contentStart').map(({ body }) => [body.contentId, body.additionalModelFields]),
    );
    return this.of('textOutput')
      .filter(({ body }) => body.role === role && stages.get(body.contentId)?.includes(stage))
      .map(({ body }) => body.content);
  }

  of(name: string): SentEvent[] {
    return this.sent.filter((event) => event.name === name);
  }

  /** Names and the distinguishing field of the events since a time, without usage and audio. */
  outline(since = 0): string[] {
    return this.sent
      .filter(({ t, name }) => t >= since && name !== 'usageEvent' && name !== 'audioOutput')
      .map(({ name, body }) =>
        [name, body.type, body.stopReason ?? body.content ?? body.role].filter(Boolean).join(' '),
      );
  }
}

export const BLOCK = (role: string, content: string, stop = 'PARTIAL_TURN') => [
  `contentStart TEXT ${role}`,
  `textOutput ${content}`,
  `contentEnd TEXT ${stop}`,
];
export const AUDIO = (stop: string) => ['contentStart AUDIO ASSISTANT', `contentEnd AUDIO ${stop}`];

// SPDX-License-Identifier: Apache-2.0
import { TEXT } from './errors.js';
import type { Model } from './models.js';
import type { InputRole } from './read-events.js';
import type { RuleEnforcement, RuleSettings } from './rule-settings.js';

/**
 * Which texts may follow which: SYSTEM first and once, then the history, in which USER and ASSISTANT take turns, within
 * its limits and before the audio.
 */
export class TextOrder {
  /** The texts of the history that opened the session, one line each: `USER: Hello.` */
  history = '';
  /** The AUDIO contentStart has come, which ends the history. */
  audioSeen = false;
  private contentSeen = false;
  private system = false;
  private systemSpeech = false;
  private historyBytes = 0;
  private lastHistoryRole?: InputRole;

  constructor(
    private readonly model: Model,
    private readonly settings: RuleSettings,
    private readonly rules: RuleEnforcement,
  ) {}

  /** A content has begun. @param what its role, or AUDIO */
  firstContent(what: string): void {
    if (this.contentSeen) return;
    this.contentSeen = true;
    if (what === 'SYSTEM' || what === 'SYSTEM_SPEECH') return;
    const why = `the first content is ${what}, not SYSTEM text`;
    this.rules.broken('system-first', TEXT.systemFirst, why);
  }

  /** The role of a text is known. @param history it is no live message */
  begin(role: InputRole, history: boolean): void {
    this.firstContent(role);
    if (role === 'SYSTEM') this.systemText();
    else if (role === 'SYSTEM_SPEECH') this.systemSpeechText();
    else if (history) this.historyText(role);
  }

  /** Text of the history. */
  historyContent(role: InputRole, content: string): void {
    const bytes = Buffer.byteLength(content);
    this.historyBytes += bytes;
    this.history += `${role}: ${content}\n`;
    const { historyTextBytes, historyTotalBytes } = this.settings;
    if (bytes > historyTextBytes) {
      const why = `${bytes} bytes in a textInput (at most ${historyTextBytes})`;
      this.rules.broken('history-text-size', TEXT.historyLimit, why);
    }
    if (this.historyBytes > historyTotalBytes) {
      const why = `${this.historyBytes} bytes of history (at most ${historyTotalBytes})`;
      this.rules.broken('history-size', TEXT.historyLimit, why);
    }
  }

  private systemText(): void {
    if (this.system) {
      this.rules.broken('system-once', TEXT.duplicateSystem, 'a second SYSTEM block');
    } else if (this.lastHistoryRole) {
      this.rules.broken('system-before-history', TEXT.invalid, 'SYSTEM text after the history');
    }
    this.system = true;
  }

  private systemSpeechText(): void {
    if (this.model.generation === '1') {
      const why = 'SYSTEM_SPEECH belongs to Nova 2';
      this.rules.broken('system-speech-model', TEXT.invalid, why);
    } else if (this.systemSpeech || this.audioSeen) {
      const why = 'SYSTEM_SPEECH comes once, before the audio';
      this.rules.broken('system-speech-once', TEXT.invalid, why);
    }
    this.systemSpeech = true;
  }

  private historyText(role: InputRole): void {
    if (this.audioSeen) {
      if (role === 'ASSISTANT') {
        const why = 'ASSISTANT text in mid-session is ignored';
        this.rules.broken('assistant-in-conversation', TEXT.invalid, why);
      } else {
        const why = 'non-interactive USER text after the AUDIO contentStart';
        this.rules.broken('history-before-audio', TEXT.historyLate, why);
      }
      return;
    }
    if (!this.lastHistoryRole && role === 'ASSISTANT') {
      const why = 'the history begins with an ASSISTANT text';
      this.rules.broken('history-first-user', TEXT.historyFirst, why);
    }
    if (this.lastHistoryRole === role) {
      const why = `two ${role} texts in a row in the history`;
      this.rules.broken('history-alternates', TEXT.invalid, why);
    }
    this.lastHistoryRole = role;
  }
}

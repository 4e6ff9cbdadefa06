// SPDX-License-Identifier: Apache-2.0
import { invalid, TEXT } from './errors.js';
import {
  type ContentStart,
  checkForm,
  type InputEvent,
  inputSchemas,
  type PromptStart,
  parseObject,
  type Sensitivity,
} from './events.js';
import type { Model } from './models.js';

/** Rules whose value may change between the service's versions. */
export interface RuleSettings {
  /** UTF-8 bytes of one textInput of the history.  @default 51,200 (docs since 2026-06-22; 1,024 before) */
  historyTextBytes: number;
  /** UTF-8 bytes of the whole history.  @default 204,800 (docs since 2026-06-22; 40,960 before) */
  historyTotalBytes: number;
  /** Accept a tool's inputSchema.json as an object.  @default false: live reports say it is rejected */
  objectSchemas: boolean;
}

export const RULE_DEFAULTS: RuleSettings = {
  historyTextBytes: 51_200,
  historyTotalBytes: 204_800,
  objectSchemas: false,
};

/** What a valid event means to the session. */
export type Action =
  | { do: 'session'; sensitivity: Sensitivity }
  | { do: 'prompt'; prompt: PromptStart }
  | { do: 'audioStart'; sampleRate: number }
  | { do: 'audio'; pcm: Buffer }
  | { do: 'typed'; text: string }
  | { do: 'toolResult'; toolUseId: string; result: Record<string, unknown> }
  | { do: 'promptEnd' }
  | { do: 'sessionEnd' }
  | { do: 'nothing' };

interface Block {
  start: ContentStart;
  text: string;
  received: boolean;
}

const NOTHING: Action = { do: 'nothing' };
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/**
 * The order and state of a session's input: pure, no clock and no socket. Each violation is the service's own
 * text, with an explanation for the developer beside it.
 */
export class InputValidator {
  private readonly schemas;
  private phase: 'new' | 'session' | 'prompt' | 'promptEnded' | 'ended' = 'new';
  private promptName = '';
  private readonly used = new Set<string>();
  private readonly open = new Map<string, Block>();
  private system = false;
  private systemSpeech = false;
  private historyBytes = 0;
  private lastHistoryRole?: string;
  private audioSeen = false;

  /**
   * @param awaits returns whether a toolUseId waits for its result
   * @param warn receives what is doubtful but accepted
   */
  constructor(
    private readonly model: Model,
    private readonly settings: RuleSettings,
    private readonly awaits: (toolUseId: string) => boolean,
    private readonly warn: (text: string) => void = () => {},
  ) {
    this.schemas = inputSchemas(model, settings.objectSchemas);
  }

  /** @throws StreamError */
  accept(chunk: unknown): { event: InputEvent; action: Action } {
    const event = checkForm(this.schemas, chunk);
    return { event, action: this.apply(event) };
  }

  private apply(event: InputEvent): Action {
    if (event.name === 'sessionStart') {
      this.expect(this.phase === 'new', 'sessionStart comes once, as the first event');
      this.phase = 'session';
      const body = event.body as {
        turnDetectionConfiguration?: { endpointingSensitivity: Sensitivity };
        endpointingSensitivity?: Sensitivity;
      };
      const sensitivity =
        body.turnDetectionConfiguration?.endpointingSensitivity ?? body.endpointingSensitivity;
      return { do: 'session', sensitivity: sensitivity ?? 'MEDIUM' };
    }
    this.expect(this.phase !== 'new', `${event.name} before sessionStart`);
    this.expect(this.phase !== 'ended', `${event.name} after sessionEnd`);
    if (event.name === 'sessionEnd') {
      if (this.phase === 'prompt') this.warn('sessionEnd without promptEnd');
      this.phase = 'ended';
      return { do: 'sessionEnd' };
    }
    if (event.name === 'promptStart') return this.promptStart(event.body);
    this.expect(this.phase !== 'session', `${event.name} before promptStart`);
    this.expect(this.phase === 'prompt', `${event.name} after promptEnd`);
    this.expect(
      event.body.promptName === this.promptName,
      `${event.name} names the prompt ${event.body.promptName}, not ${this.promptName}`,
    );
    switch (event.name) {
      case 'contentStart':
        return this.contentStart(event.body);
      case 'textInput':
      case 'audioInput':
      case 'toolResult':
        return this.content(event.name, event.body.contentName, event.body.content);
      case 'contentEnd':
        return this.contentEnd(event.body.contentName);
      case 'promptEnd':
        return this.promptEnd();
    }
  }

  private promptStart(prompt: PromptStart): Action {
    this.expect(this.phase === 'session', 'promptStart comes once, after sessionStart');
    const { voiceId } = prompt.audioOutputConfiguration;
    if (!this.model.voices.has(voiceId)) {
      throw invalid(
        TEXT.invalidId(voiceId),
        `${this.model.id} has no such voice; they are lower case`,
      );
    }
    const tools = prompt.toolConfiguration?.tools.map(({ toolSpec }) => toolSpec.name) ?? [];
    const choice = prompt.toolConfiguration?.toolChoice as { tool?: { name: string } } | undefined;
    const chosen = choice?.tool?.name;
    if (chosen) this.expect(tools.includes(chosen), `toolChoice names ${chosen}, which is no tool`);
    this.phase = 'prompt';
    this.promptName = prompt.promptName;
    return { do: 'prompt', prompt };
  }

  private contentStart(start: ContentStart): Action {
    this.expect(
      !this.used.has(start.contentName),
      `contentName ${start.contentName} was used before`,
    );
    if (start.type === 'TEXT') this.textStart(start);
    if (start.type === 'AUDIO') {
      const audio = [...this.open.values()].some((block) => block.start.type === 'AUDIO');
      this.expect(!audio, 'an AUDIO content is open already: one serves the whole session');
      if (this.historyOpen) {
        throw invalid(TEXT.historyLate, 'AUDIO contentStart inside a block of the history');
      }
    }
    if (start.type === 'TOOL') {
      const { toolUseId } = start.toolResultInputConfiguration;
      const twice = [...this.open.values()].some(
        ({ start: other }) =>
          other.type === 'TOOL' && other.toolResultInputConfiguration.toolUseId === toolUseId,
      );
      this.expect(this.awaits(toolUseId) && !twice, `no tool call ${toolUseId} waits for a result`);
    }
    this.used.add(start.contentName);
    this.open.set(start.contentName, { start, text: '', received: false });
    if (start.type !== 'AUDIO') return NOTHING;
    this.audioSeen = true;
    return { do: 'audioStart', sampleRate: start.audioInputConfiguration.sampleRateHertz };
  }

  private textStart(start: ContentStart & { type: 'TEXT' }): void {
    const { role } = start;
    if (role === 'SYSTEM') {
      if (this.system) throw invalid(TEXT.duplicateSystem, 'a second SYSTEM block');
      this.expect(!this.audioSeen, 'SYSTEM text after the AUDIO contentStart');
      if (this.lastHistoryRole) this.warn('SYSTEM text after the history');
      this.system = true;
    } else if (role === 'SYSTEM_SPEECH') {
      this.expect(this.model.generation !== '1', 'SYSTEM_SPEECH belongs to Nova 2');
      this.expect(
        !this.systemSpeech && !this.audioSeen,
        'SYSTEM_SPEECH comes once, before the audio',
      );
      this.systemSpeech = true;
    } else if (isHistory(start)) {
      if (this.audioSeen) {
        if (role === 'ASSISTANT') this.warn('ASSISTANT text in mid-session is ignored');
        else
          throw invalid(TEXT.historyLate, 'non-interactive USER text after the AUDIO contentStart');
        return;
      }
      if (!this.lastHistoryRole && role === 'ASSISTANT') {
        throw invalid(TEXT.historyFirst, 'the history begins with an ASSISTANT text');
      }
      if (this.lastHistoryRole === role) this.warn(`two ${role} texts in a row in the history`);
      this.lastHistoryRole = role;
    }
  }

  private content(name: string, contentName: string, content: string): Action {
    const block = this.open.get(contentName);
    if (!block) {
      if (name === 'audioInput' && this.historyOpen) {
        throw invalid(TEXT.historyLate, 'audioInput inside a block of the history');
      }
      throw invalid(TEXT.invalid, `${name} for ${contentName}, which is not open`);
    }
    const { start } = block;
    const type = { textInput: 'TEXT', audioInput: 'AUDIO', toolResult: 'TOOL' }[name];
    this.expect(start.type === type, `${name} in a ${start.type} content`);
    block.received = true;
    if (start.type === 'AUDIO') {
      if (content.length % 4 || !BASE64.test(content)) {
        throw invalid(TEXT.parse, 'audioInput.content is not base64');
      }
      const pcm = Buffer.from(content, 'base64');
      if (pcm.length % 2) this.warn('audioInput with half a sample: 16-bit PCM has an even length');
      return { do: 'audio', pcm };
    }
    if (start.type === 'TEXT' && isHistory(start) && !this.audioSeen) {
      const bytes = Buffer.byteLength(content);
      this.historyBytes += bytes;
      const { historyTextBytes, historyTotalBytes } = this.settings;
      if (bytes > historyTextBytes || this.historyBytes > historyTotalBytes) {
        const why = `${bytes} bytes in a textInput (at most ${historyTextBytes}), ${this.historyBytes} in all (at most ${historyTotalBytes})`;
        throw invalid(TEXT.historyLimit, why);
      }
    }
    if (start.type === 'TOOL' && block.text) {
      throw invalid(TEXT.toolResponse, 'a second toolResult in one content');
    }
    if (start.type === 'TOOL' && !parseObject(content)) {
      throw invalid(TEXT.toolResponse, 'toolResult.content is not a JSON object');
    }
    block.text += content;
    return NOTHING;
  }

  private contentEnd(contentName: string): Action {
    const block = this.open.get(contentName);
    if (!block) throw invalid(TEXT.invalid, `contentEnd for ${contentName}, which is not open`);
    if (!block.received) throw invalid(TEXT.noContentData(contentName), 'nothing was sent in it');
    this.open.delete(contentName);
    const { start } = block;
    if (start.type === 'TEXT' && start.role === 'USER' && start.interactive) {
      return { do: 'typed', text: block.text };
    }
    if (start.type !== 'TOOL') return NOTHING;
    const { toolUseId } = start.toolResultInputConfiguration;
    return { do: 'toolResult', toolUseId, result: parseObject(block.text) ?? {} };
  }

  private get historyOpen(): boolean {
    return !this.audioSeen && [...this.open.values()].some(({ start }) => isHistory(start));
  }

  private promptEnd(): Action {
    if (this.open.size) {
      throw invalid(TEXT.openContents, `open: ${[...this.open.keys()].join(', ')}`);
    }
    if (!this.audioSeen) throw invalid(TEXT.noAudio(this.promptName), 'no AUDIO content was sent');
    this.phase = 'promptEnded';
    return { do: 'promptEnd' };
  }

  private expect(condition: boolean, why: string): void {
    if (!condition) throw invalid(TEXT.invalid, why);
  }
}

/** USER and ASSISTANT texts that are no live message. */
function isHistory(start: ContentStart): boolean {
  if (start.type !== 'TEXT') return false;
  return start.role === 'ASSISTANT' || (start.role === 'USER' && !start.interactive);
}

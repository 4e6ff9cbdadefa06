// SPDX-License-Identifier: Apache-2.0
import { checkForm, type Violation } from './check-form.js';
import { checkPrompt } from './check-prompt.js';
import { invalid, TEXT } from './errors.js';
import {
  type InputName,
  type InputSchemas,
  inputSchemas,
  isObject,
  parseObject,
  type Sensitivity,
} from './events.js';
import type { Model } from './models.js';
import {
  type InputRole,
  type ReadContentStart,
  type ReadPrompt,
  readContentStart,
  readPrompt,
  readSensitivity,
  stringOf,
  textRole,
} from './read-events.js';
import { RuleEnforcement, type RuleSettings, type RuleWarning } from './rule-settings.js';
import type { RuleName } from './rules.js';
import { TextOrder } from './text-order.js';

/** What a valid event means to the session. */
export type Action =
  | { do: 'session'; sensitivity: Sensitivity }
  | { do: 'prompt'; prompt: ReadPrompt }
  | { do: 'audioStart'; sampleRate: number }
  | { do: 'audio'; pcm: Buffer }
  | { do: 'typed'; text: string }
  | { do: 'toolResult'; toolUseId: string; result: Record<string, unknown> }
  | { do: 'promptEnd' }
  | { do: 'sessionEnd' }
  | { do: 'nothing' };

interface Block {
  start: ReadContentStart;
  /** Of a TEXT content, once it is known. */
  role?: InputRole;
  text: string;
  received: boolean;
}

const NOTHING: Action = { do: 'nothing' };
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;
const MAX_EVENT_BYTES = 1_000_000;
const KIND = { textInput: 'TEXT', audioInput: 'AUDIO', toolResult: 'TOOL' } as const;

/**
 * The order and state of a session's input: pure, no clock and no socket. What breaks a rule is refused with the
 * service's own text or warned of, by the rule's evidence; after a warning it goes on as a lenient service would.
 */
export class InputValidator {
  private readonly schemas: InputSchemas;
  private phase: 'new' | 'session' | 'prompt' | 'promptEnded' | 'ended' = 'new';
  private readonly rules: RuleEnforcement;
  private readonly texts: TextOrder;
  private promptName = '';
  private readonly used = new Set<string>();
  private readonly open = new Map<string, Block>();

  /**
   * @param awaits returns whether a toolUseId waits for its result
   * @param warn receives what is not refused; each rule once for each kind of event
   */
  constructor(
    private readonly model: Model,
    private readonly settings: RuleSettings,
    private readonly awaits: (toolUseId: string) => boolean,
    warn: (warning: RuleWarning) => void = () => {},
  ) {
    this.schemas = inputSchemas(model);
    this.rules = new RuleEnforcement(settings, warn);
    this.texts = new TextOrder(model, settings, this.rules);
  }

  /** The texts of the history that opened the session, one line each: `USER: Hello.` */
  get history(): string {
    return this.texts.history;
  }

  /** @throws StreamError */
  accept(chunk: unknown): { name: string; body: Record<string, unknown>; action: Action } {
    this.rules.event = 'event';
    const { name, body } = this.unwrap(chunk);
    this.rules.event = name;
    if (!Object.hasOwn(this.schemas, name)) {
      this.broken('event-name', TEXT.invalid, `no input event is named ${name}`);
      return { name, body, action: NOTHING };
    }
    const known = name as InputName;
    for (const violation of checkForm(this.schemas, this.model, known, body)) this.judge(violation);
    return { name, body, action: this.apply(known, body) };
  }

  /** The input is over. @throws StreamError */
  end(): void {
    this.rules.event = 'end of input';
    if (this.phase === 'prompt') this.promptOpen();
  }

  private unwrap(chunk: unknown): { name: string; body: Record<string, unknown> } {
    const events = isObject(chunk) && isObject(chunk.event) ? Object.entries(chunk.event) : [];
    const [name, body] =
      events.find(([known]) => Object.hasOwn(this.schemas, known)) ?? events[0] ?? [];
    if (name === undefined || !isObject(body)) {
      throw invalid(TEXT.parse, 'an event is {"event":{"<name>":{…}}}', 'event-shape');
    }
    if (events.length > 1) {
      const others = events.map(([other]) => other).filter((other) => other !== name);
      this.broken('one-name', TEXT.parse, `${others.join(', ')} beside ${name} in one event`);
    }
    const outer = Object.keys(chunk as object).find((key) => key !== 'event');
    if (outer) this.broken('beside-event', TEXT.invalid, `unknown field ${outer} beside "event"`);
    return { name, body };
  }

  private apply(name: InputName, body: Record<string, unknown>): Action {
    if (name === 'sessionStart') return this.sessionStart(body);
    if (this.phase === 'new') {
      this.broken('session-start-first', TEXT.invalid, `${name} before sessionStart`);
    }
    if (this.phase === 'ended') {
      this.broken('after-session-end', TEXT.invalid, `${name} after sessionEnd`);
      return NOTHING;
    }
    if (name === 'sessionEnd') {
      if (this.phase === 'prompt') this.promptOpen();
      this.phase = 'ended';
      return { do: 'sessionEnd' };
    }
    if (name === 'promptStart') return this.promptStart(body);
    if (this.phase === 'session' || this.phase === 'new') {
      this.broken('prompt-start-first', TEXT.noPrompts, `${name} before promptStart`);
      return NOTHING;
    }
    if (this.phase === 'promptEnded') {
      this.broken('after-prompt-end', TEXT.invalid, `${name} after promptEnd`);
      return NOTHING;
    }
    if (body.promptName !== undefined && body.promptName !== this.promptName) {
      const why = `${name} names the prompt ${stringOf(body.promptName)}, not ${this.promptName}`;
      this.broken('prompt-name', TEXT.invalid, why);
    }
    switch (name) {
      case 'contentStart':
        return this.contentStart(readContentStart(body));
      case 'textInput':
      case 'audioInput':
      case 'toolResult':
        return this.content(name, body);
      case 'contentEnd':
        return this.contentEnd(stringOf(body.contentName));
      case 'promptEnd':
        return this.promptEnd();
    }
  }

  private sessionStart(body: Record<string, unknown>): Action {
    if (this.phase !== 'new') {
      this.broken('session-start-once', TEXT.invalid, 'a second sessionStart');
      return NOTHING;
    }
    this.phase = 'session';
    return { do: 'session', sensitivity: readSensitivity(body) };
  }

  private promptStart(body: Record<string, unknown>): Action {
    if (this.phase === 'prompt' || this.phase === 'promptEnded') {
      this.broken('prompt-start-once', TEXT.invalid, 'a second promptStart');
      return NOTHING;
    }
    const prompt = readPrompt(body);
    for (const violation of checkPrompt(this.model, prompt, this.settings.objectSchemas)) {
      this.judge(violation);
    }
    this.phase = 'prompt';
    this.promptName = prompt.promptName;
    return { do: 'prompt', prompt };
  }

  private contentStart(start: ReadContentStart): Action {
    const { contentName, type, toolUseId } = start;
    if (this.used.has(contentName)) {
      this.broken('content-name-once', TEXT.invalid, `contentName ${contentName} was used before`);
    }
    const block: Block = { start, text: '', received: false };
    const others = [...this.open.values()];
    // A text without a role has it in its textInput, where AWS's own sample puts it.
    if (type === 'TEXT' && start.role) this.roleKnown(block, start.role);
    if (type === 'AUDIO') {
      this.texts.firstContent('AUDIO');
      if (others.some((other) => other.start.type === 'AUDIO')) {
        this.broken('audio-once', TEXT.invalid, 'an AUDIO content is open already');
      }
      if (this.historyOpen) {
        const why = 'AUDIO contentStart inside a block of the history';
        this.broken('history-before-audio', TEXT.historyLate, why);
      }
    }
    if (type === 'TOOL') {
      const twice = others.some(
        (other) => other.start.type === 'TOOL' && other.start.toolUseId === toolUseId,
      );
      if (twice || !this.awaits(toolUseId)) {
        const why = `no tool call ${toolUseId} waits for a result`;
        this.broken('result-pending', TEXT.invalid, why);
      }
    }
    this.used.add(contentName);
    this.open.set(contentName, block);
    if (type !== 'AUDIO') return NOTHING;
    this.texts.audioSeen = true;
    return { do: 'audioStart', sampleRate: start.sampleRate };
  }

  private content(name: keyof typeof KIND, body: Record<string, unknown>): Action {
    const contentName = stringOf(body.contentName);
    const content = stringOf(body.content);
    const block = this.open.get(contentName);
    if (!block) {
      if (name === 'audioInput' && this.historyOpen) {
        const why = 'audioInput inside a block of the history';
        this.broken('history-before-audio', TEXT.historyLate, why);
      }
      const why = `${name} for ${contentName}, which is not open`;
      this.broken('content-open', TEXT.invalid, why);
      return NOTHING;
    }
    const { start } = block;
    block.received = true;
    if (start.type !== KIND[name]) {
      this.broken('content-kind', TEXT.invalid, `${name} in a ${start.type} content`);
      if (start.type === 'AUDIO' || name === 'audioInput') return NOTHING;
    }
    const bytes = content.length;
    if (bytes > MAX_EVENT_BYTES) this.broken('event-size', TEXT.invalid, `${bytes} bytes`);
    if (start.type === 'AUDIO') return this.audio(content);
    if (start.type === 'TEXT') this.textContent(block, textRole(body), content);
    else this.resultContent(block, content);
    return NOTHING;
  }

  private audio(content: string): Action {
    if (content.length % 4 || !BASE64.test(content)) {
      this.broken('base64', TEXT.parse, 'audioInput.content is not base64');
    }
    const pcm = Buffer.from(content, 'base64');
    if (pcm.length % 2) {
      const why = 'audioInput with half a sample: 16-bit PCM has an even length';
      this.broken('whole-samples', TEXT.invalid, why);
    }
    return { do: 'audio', pcm };
  }

  private textContent(block: Block, role: InputRole | undefined, content: string): void {
    const known = block.role ?? this.roleKnown(block, role ?? 'USER');
    if (isHistory(block) && !this.texts.audioSeen) this.texts.historyContent(known, content);
    block.text += content;
  }

  private roleKnown(block: Block, role: InputRole): InputRole {
    block.role = role;
    this.texts.begin(role, isHistory(block));
    return role;
  }

  private resultContent(block: Block, content: string): void {
    if (block.text) {
      this.broken('result-once', TEXT.toolResponse, 'a second toolResult in one content');
    }
    if (!parseObject(content)) {
      const why = 'toolResult.content is not a JSON object';
      this.broken('result-object', TEXT.toolResponse, why);
    }
    block.text = content;
  }

  private contentEnd(contentName: string): Action {
    const block = this.open.get(contentName);
    if (!block) {
      const why = `contentEnd for ${contentName}, which is not open`;
      this.broken('content-open', TEXT.invalid, why);
      return NOTHING;
    }
    if (!block.received) {
      const message = TEXT.noContentData(contentName);
      this.broken('content-not-empty', message, 'nothing was sent in it');
    }
    this.open.delete(contentName);
    const { start, role } = block;
    if (start.type === 'TEXT' && role === 'USER' && start.interactive) {
      return { do: 'typed', text: block.text };
    }
    if (start.type !== 'TOOL') return NOTHING;
    return {
      do: 'toolResult',
      toolUseId: start.toolUseId,
      result: parseObject(block.text) ?? {},
    };
  }

  private get historyOpen(): boolean {
    return !this.texts.audioSeen && [...this.open.values()].some(isHistory);
  }

  private promptEnd(): Action {
    if (this.open.size) {
      const why = `open: ${[...this.open.keys()].join(', ')}`;
      this.broken('contents-closed', TEXT.openContents, why);
    }
    if (!this.texts.audioSeen) {
      const why = 'no AUDIO content was sent';
      this.broken('prompt-has-audio', TEXT.noAudio(this.promptName), why);
    }
    this.phase = 'promptEnded';
    return { do: 'promptEnd' };
  }

  private promptOpen(): void {
    const message = TEXT.promptsOpen([this.promptName]);
    this.broken('prompt-closed', message, `${this.rules.event} before promptEnd`);
  }

  private judge({ rule, message, why }: Violation): void {
    this.broken(rule, message, why);
  }

  private broken(rule: RuleName, message: string, why: string): void {
    this.rules.broken(rule, message, why);
  }
}

/** USER and ASSISTANT texts that are no live message. */
function isHistory({ start, role }: Block): boolean {
  if (start.type !== 'TEXT') return false;
  return role === 'ASSISTANT' || (role === 'USER' && !start.interactive);
}

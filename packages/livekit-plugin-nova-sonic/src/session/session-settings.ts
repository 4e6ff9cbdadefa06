// SPDX-License-Identifier: Apache-2.0
import { llm } from '@livekit/agents';
import { checkVoice, type RealtimeModelOptions, type ResolvedOptions } from '../options.js';
import { checkOptions } from '../options-schema.js';
import { isFirstGeneration } from '../protocol/models.js';
import {
  type StreamSettings,
  settingsFingerprint,
  type ToolSpec,
} from '../protocol/session-config.js';
import { ToolNames } from '../tools/tool-names.js';
import { toolChoiceConfig, toolSpecs } from '../tools/tool-schema.js';

/** Options that may change during a session; they take effect on the next stream. */
export interface SessionOptions
  extends Pick<
    RealtimeModelOptions,
    'temperature' | 'topP' | 'maxTokens' | 'turnDetection' | 'voice'
  > {
  /** `null` restores the model's own; so does `undefined` where it is named, as LiveKit does after one reply. */
  toolChoice?: llm.ToolChoice | null;
}

/** Several changes of tools or instructions in a row make one renewal (ms). */
const DEBOUNCE_MS = 50;

const sameChoice = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

/** What Sonic reads only at the start of a stream, as the application set it last. */
export class SessionSettings {
  instructions = '';
  readonly #model: ResolvedOptions;
  #options: ResolvedOptions;
  readonly #onToolSkipped: (why: Error) => void;
  #tools: llm.ToolContext = llm.ToolContext.empty();
  #specs: ToolSpec[] = [];
  /** The names of tools here and at the service. */
  readonly toolNames = new ToolNames();
  #cancelDebounce?: () => void;
  #choiceBefore?: llm.ToolChoice;
  #choiceEnded = false;

  /** @param onToolSkipped called when a tool has no JSON schema and is left out */
  constructor(options: ResolvedOptions, onToolSkipped: (why: Error) => void) {
    this.#model = options;
    this.#options = options;
    this.#onToolSkipped = onToolSkipped;
  }

  get tools(): llm.ToolContext {
    return this.#tools;
  }

  set tools(tools: llm.ToolContext) {
    this.#tools = tools;
    this.#specs = toolSpecs(tools, this.toolNames, this.#onToolSkipped);
  }

  get toolChoice(): llm.ToolChoice | undefined {
    return this.#options.toolChoice;
  }

  /** The last update ended a tool choice that was given for one reply. */
  get toolChoiceEnded(): boolean {
    return this.#choiceEnded;
  }

  /**
   * Sets options for the next stream. Returns true when the stream's settings change.
   * @throws Error of one sentence that names the invalid option, its value and what is allowed
   */
  update(options: SessionOptions): boolean {
    const { toolChoice, ...others } = options;
    const given = Object.fromEntries(Object.entries(others).filter(([, v]) => v !== undefined));
    const named = 'toolChoice' in options;
    const choice = toolChoice ?? this.#model.toolChoice;
    checkOptions({
      ...given,
      ...(named && choice !== undefined && { toolChoice: choice }),
    });
    const { force, model } = this.#model;
    if (others.voice !== undefined && !force) checkVoice(others.voice, model);
    const before = settingsFingerprint(this.stream);
    const earlier = this.#options.toolChoice;
    this.#options = { ...this.#options, ...given, ...(named && { toolChoice: choice }) };
    if (named) {
      this.#choiceEnded = toolChoice == null || sameChoice(choice, this.#choiceBefore);
      this.#choiceBefore = earlier;
    }
    return settingsFingerprint(this.stream) !== before;
  }

  /** The settings for a stream that is opened now. */
  get stream(): StreamSettings {
    const options = this.#options;
    const tools = options.toolChoice === 'none' ? [] : this.#specs;
    return {
      instructions: this.instructions,
      config: {
        maxTokens: options.maxTokens,
        // The values of AWS's Nova 2 Sonic guide (sonic-input-events). Its advice for tools, temperature 0, is in the guide
        // of the first generation (prompting-tool-troubleshooting); none was found for Nova 2 or 2.5 (2026-11-26).
        topP: options.topP ?? 0.9,
        temperature: options.temperature ?? 0.7,
        ...(!isFirstGeneration(options.model) && { endpointingSensitivity: options.turnDetection }),
        voiceId: options.voice,
        ...(options.speechPrompt && { speechPrompt: options.speechPrompt }),
        inputSampleRate: options.inputSampleRate,
        outputSampleRate: options.outputSampleRate,
        tools,
        toolChoice: toolChoiceConfig(options.toolChoice, this.toolNames, tools),
      },
    };
  }

  /** Calls `run` once nothing has changed for 50 ms. */
  debounce(run: () => void): void {
    this.#cancelDebounce?.();
    this.#cancelDebounce = this.#model.clock.after(DEBOUNCE_MS, run);
  }

  close(): void {
    this.#cancelDebounce?.();
  }
}

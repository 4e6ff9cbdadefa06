// SPDX-License-Identifier: Apache-2.0
import { llm } from '@livekit/agents';
import type { RealtimeModelOptions, ResolvedOptions } from '../options.js';
import { checkOptions } from '../options-schema.js';
import { isFirstGeneration } from '../protocol/models.js';
import {
  type StreamSettings,
  settingsFingerprint,
  type ToolSpec,
} from '../protocol/session-config.js';
import { toolChoiceConfig, toolSpecs } from '../tools/tool-schema.js';

/** What may be another for the streams to come than the model was made with. */
export interface SessionOptions
  extends Pick<RealtimeModelOptions, 'temperature' | 'topP' | 'maxTokens' | 'turnDetection'> {
  /** `null` goes back to the model's own. */
  toolChoice?: llm.ToolChoice | null;
}

/** Several changes of tools or instructions in a row make one renewal. */
const DEBOUNCE_MS = 50;

/** What Sonic takes only at the start of a stream, as the application set it last. */
export class SessionSettings {
  instructions = '';
  readonly #model: ResolvedOptions;
  #options: ResolvedOptions;
  readonly #onToolSkipped: (why: Error) => void;
  #tools: llm.ToolContext = llm.ToolContext.empty();
  #specs: ToolSpec[] = [];
  #cancelDebounce?: () => void;

  /** @param leftOut a tool cannot be told to the model, and why */
  constructor(options: ResolvedOptions, leftOut: (why: Error) => void) {
    this.#model = options;
    this.#options = options;
    this.#onToolSkipped = leftOut;
  }

  get tools(): llm.ToolContext {
    return this.#tools;
  }

  set tools(tools: llm.ToolContext) {
    this.#tools = tools;
    this.#specs = toolSpecs(tools, this.#onToolSkipped);
  }

  get toolChoice(): llm.ToolChoice | undefined {
    return this.#options.toolChoice;
  }

  /**
   * Options for the streams to come. True when Sonic would see a difference.
   * @throws Error of one sentence when an option has a value that it cannot have
   */
  update({ toolChoice, ...others }: SessionOptions): boolean {
    const given = Object.fromEntries(Object.entries(others).filter(([, v]) => v !== undefined));
    const choice = toolChoice === null ? this.#model.toolChoice : toolChoice;
    checkOptions({ ...given, ...(choice !== undefined && { toolChoice: choice }) });
    const before = settingsFingerprint(this.stream);
    this.#options = {
      ...this.#options,
      ...given,
      ...(toolChoice !== undefined && { toolChoice: choice }),
    };
    return settingsFingerprint(this.stream) !== before;
  }

  /** What a stream opened now would be opened with. */
  get stream(): StreamSettings {
    const options = this.#options;
    const tools = options.toolChoice === 'none' ? [] : this.#specs;
    return {
      instructions: this.instructions,
      config: {
        maxTokens: options.maxTokens,
        topP: options.topP ?? (tools.length > 0 ? 1 : 0.9),
        temperature: options.temperature ?? (tools.length > 0 ? 1 : 0.7),
        ...(!isFirstGeneration(options.model) && { endpointingSensitivity: options.turnDetection }),
        voiceId: options.voice,
        inputSampleRate: options.inputSampleRate,
        outputSampleRate: options.outputSampleRate,
        tools,
        toolChoice: toolChoiceConfig(options.toolChoice),
      },
    };
  }

  /** Calls `run` when nothing has changed any more for a moment. */
  debounce(run: () => void): void {
    this.#cancelDebounce?.();
    this.#cancelDebounce = this.#model.clock.after(DEBOUNCE_MS, run);
  }

  close(): void {
    this.#cancelDebounce?.();
  }
}

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

/** Options that may change during a session; they take effect on the next stream. */
export interface SessionOptions
  extends Pick<RealtimeModelOptions, 'temperature' | 'topP' | 'maxTokens' | 'turnDetection'> {
  /** `null` restores the model's own. */
  toolChoice?: llm.ToolChoice | null;
}

/** Several changes of tools or instructions in a row make one renewal (ms). */
const DEBOUNCE_MS = 50;

/** What Sonic reads only at the start of a stream, as the application set it last. */
export class SessionSettings {
  instructions = '';
  readonly #model: ResolvedOptions;
  #options: ResolvedOptions;
  readonly #onToolSkipped: (why: Error) => void;
  #tools: llm.ToolContext = llm.ToolContext.empty();
  #specs: ToolSpec[] = [];
  #cancelDebounce?: () => void;

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
    this.#specs = toolSpecs(tools, this.#onToolSkipped);
  }

  get toolChoice(): llm.ToolChoice | undefined {
    return this.#options.toolChoice;
  }

  /**
   * Sets options for the next stream. Returns true when the stream's settings change.
   * @throws Error of one sentence that names the invalid option, its value and what is allowed
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

  /** The settings for a stream that is opened now. */
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

  /** Calls `run` once nothing has changed for 50 ms. */
  debounce(run: () => void): void {
    this.#cancelDebounce?.();
    this.#cancelDebounce = this.#model.clock.after(DEBOUNCE_MS, run);
  }

  close(): void {
    this.#cancelDebounce?.();
  }
}

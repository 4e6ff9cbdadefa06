// SPDX-License-Identifier: Apache-2.0
import { llm } from '@livekit/agents';
import type { SessionConfig } from './events.js';
import type { ResolvedOptions } from './options.js';
import { toolChoiceConfig, toolSpecs } from './tools.js';
import { isFirstGeneration } from './voices.js';

/** What a stream is opened with; asked for anew each time. */
export interface StreamSettings {
  readonly config: SessionConfig;
  readonly instructions: string;
}

/** Two streams with the same fingerprint were opened with the same instructions, tools and parameters. */
export const settingsFingerprint = (settings: StreamSettings): string => JSON.stringify(settings);

/** Several changes of tools or instructions in a row make one renewal. */
const CHANGES_SETTLE_MS = 50;

/** What Sonic takes only at the start of a stream, as the application set it last. */
export class CurrentSettings {
  instructions = '';
  tools: llm.ToolContext = llm.ToolContext.empty();
  readonly #options: ResolvedOptions;
  #toolChoice: llm.ToolChoice | undefined;
  #cancelSettle?: () => void;

  constructor(options: ResolvedOptions) {
    this.#options = options;
    this.#toolChoice = options.toolChoice;
  }

  get toolChoice(): llm.ToolChoice | undefined {
    return this.#toolChoice;
  }

  /** `null` goes back to the model's own choice. True when it is another one for Sonic. */
  choose(toolChoice: llm.ToolChoice | null): boolean {
    const before = JSON.stringify(toolChoiceConfig(this.#toolChoice));
    this.#toolChoice = toolChoice ?? this.#options.toolChoice;
    return JSON.stringify(toolChoiceConfig(this.#toolChoice)) !== before;
  }

  /** What a stream opened now would be opened with. */
  get stream(): StreamSettings {
    const options = this.#options;
    const tools = this.#toolChoice === 'none' ? [] : toolSpecs(this.tools);
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
        toolChoice: toolChoiceConfig(this.#toolChoice),
      },
    };
  }

  /** Calls `run` when nothing has changed any more for a moment. */
  whenSettled(run: () => void): void {
    this.#cancelSettle?.();
    this.#cancelSettle = this.#options.clock.after(CHANGES_SETTLE_MS, run);
  }

  close(): void {
    this.#cancelSettle?.();
  }
}

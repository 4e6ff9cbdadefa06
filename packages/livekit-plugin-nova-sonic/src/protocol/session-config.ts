// SPDX-License-Identifier: Apache-2.0
/** What a stream is opened with. Sonic reads it only at the start of a stream. */

/** Everything that a Sonic session and its one prompt are opened with. */
export interface SessionConfig {
  readonly maxTokens: number;
  readonly topP: number;
  readonly temperature: number;
  /** Left out for the first Nova Sonic, which does not know it. */
  readonly endpointingSensitivity?: 'HIGH' | 'MEDIUM' | 'LOW';
  readonly voiceId: string;
  /** Sets the script in which Hindi is transcribed. */
  readonly speechPrompt?: string;
  readonly outputSampleRate: number;
  readonly inputSampleRate: number;
  readonly tools: readonly ToolSpec[];
  readonly toolChoice?: Readonly<Record<string, unknown>>;
}

/** A tool as the service wants it: the schema is a JSON document inside a string. */
export interface ToolSpec {
  readonly name: string;
  readonly description: string;
  readonly inputSchema: string;
}

/** What a stream is opened with; read again for each stream. */
export interface StreamSettings {
  readonly config: SessionConfig;
  readonly instructions: string;
}

/** Two streams with the same fingerprint were opened with the same instructions, tools and parameters. */
export const settingsFingerprint = ({ instructions, config }: StreamSettings): string =>
  JSON.stringify([instructions, config]);

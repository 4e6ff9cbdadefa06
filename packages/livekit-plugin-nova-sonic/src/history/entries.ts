// SPDX-License-Identifier: Apache-2.0

interface Base {
  readonly id: string;
  /** Milliseconds since the epoch at which it was begun. */
  at: number;
}

/** One thing that happened in a call. */
export type HistoryEntry =
  | (Base & { readonly kind: 'user'; text: string })
  | (Base & { readonly kind: 'assistant'; text: string; interrupted: boolean; drafts?: string[] })
  /** Words that were given to `generateReply`: the model sees them, the chat context does not. */
  | (Base & { readonly kind: 'instruction'; text: string })
  | (Base & { readonly kind: 'tool_call'; callId: string; name: string; args: string })
  | (Base & {
      readonly kind: 'tool_result';
      callId: string;
      name: string;
      output: string;
      isError: boolean;
    });

export type UserEntry = Extract<HistoryEntry, { kind: 'user' }>;
export type AssistantEntry = Extract<HistoryEntry, { kind: 'assistant' }>;
export type ToolCallEntry = Extract<HistoryEntry, { kind: 'tool_call' }>;
export type ToolResultEntry = Extract<HistoryEntry, { kind: 'tool_result' }>;

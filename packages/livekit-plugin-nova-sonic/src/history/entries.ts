// SPDX-License-Identifier: Apache-2.0

interface Base {
  readonly id: string;
  /** When it began, in milliseconds since the epoch. */
  at: number;
}

/** One event of a call that the history records. */
export type HistoryEntry =
  | (Base & { readonly kind: 'user'; text: string })
  | (Base & { readonly kind: 'assistant'; text: string; interrupted: boolean; drafts?: string[] })
  /** Text given to `generateReply`: the model gets it, the chat context does not show it. */
  | (Base & { readonly kind: 'instruction'; text: string })
  /** What the application added to the instructions in the chat context: a system or developer message. */
  | (Base & { readonly kind: 'system'; readonly role: 'system' | 'developer'; text: string })
  | (Base & { readonly kind: 'tool_call'; callId: string; name: string; args: string })
  | (Base & {
      readonly kind: 'tool_result';
      callId: string;
      name: string;
      output: string;
      isError: boolean;
    });

export type UserEntry = Extract<HistoryEntry, { kind: 'user' }>;
export type SystemEntry = Extract<HistoryEntry, { kind: 'system' }>;
export type AssistantEntry = Extract<HistoryEntry, { kind: 'assistant' }>;
export type ToolCallEntry = Extract<HistoryEntry, { kind: 'tool_call' }>;
export type ToolResultEntry = Extract<HistoryEntry, { kind: 'tool_result' }>;

// SPDX-License-Identifier: Apache-2.0

import { llm, type RunningJobInfo } from '@livekit/agents';
import type { ConversationItem } from '../supervision/conversation-record.js';
import type { ResumeMessage } from '../supervision/supervisor-messages.js';

/** Marks a job that another process had before, among the attributes that its agent was accepted with. */
export const RESUMED_JOB = 'nova-sonic.resumed';

/** Milliseconds that the worker may take to tell what was said; it is on the same machine. */
const RESUME_MESSAGE_MS = 2_000;

/** A call that another process carried until it died. */
export interface ResumedCall {
  /** What was said until then. */
  readonly history: llm.ChatContext;
  /** Identity of the caller; undefined when the other process had not met one. */
  readonly caller?: string | undefined;
  /** Processes that died under it. */
  readonly crashes: number;
  /** End the call with words, for this reason. */
  readonly end?: string | undefined;
}

/** A call as the worker tells it to the process that goes on with it; `resumed` is undefined for a new call. */
export class CallResumption {
  readonly resumed: Promise<ResumedCall | undefined>;
  #receive: (message: ResumeMessage) => void = () => {};

  constructor({ acceptArguments }: Pick<RunningJobInfo, 'acceptArguments'>) {
    if (!acceptArguments?.attributes?.[RESUMED_JOB]) {
      this.resumed = Promise.resolve(undefined);
      return;
    }
    this.resumed = new Promise((resolve) => {
      // Without a word of the worker the call goes on all the same, without a memory.
      const timer = setTimeout(
        () => resolve({ history: new llm.ChatContext(), crashes: 1 }),
        RESUME_MESSAGE_MS,
      );
      this.#receive = ({ history, caller, crashes, end }) => {
        clearTimeout(timer);
        resolve({ history: fromItems(history), caller, crashes, end });
      };
    });
  }

  readonly receive = (message: ResumeMessage): void => this.#receive(message);
}

/** An item of the conversation as it is kept; undefined for what a process that goes on does not need. */
export function toItem(item: llm.ChatItem): ConversationItem | undefined {
  const { id, type, createdAt } = item;
  if (item.type === 'message') {
    const { role, textContent: text, interrupted } = item;
    if ((role !== 'user' && role !== 'assistant') || !text?.trim()) return undefined;
    return { id, type, createdAt, role, text, interrupted };
  }
  if (item.type === 'function_call') {
    const { callId, name, args } = item;
    return { id, type, createdAt, callId, name, args };
  }
  if (item.type === 'function_call_output') {
    const { callId, name, output, isError } = item;
    return { id, type, createdAt, callId, name, output, isError };
  }
  return undefined;
}

/** The items as LiveKit's chat context, in the order in which they began. */
export function fromItems(items: readonly ConversationItem[]): llm.ChatContext {
  const restored = items.map((item) => {
    // Written by `toItem`, of the same version, in this task.
    if (item.type === 'message') {
      const { text, ...message } = item as unknown as { text: string } & MessageParams;
      return llm.ChatMessage.create({ ...message, content: text });
    }
    if (item.type === 'function_call')
      return llm.FunctionCall.create(item as unknown as CallParams);
    return llm.FunctionCallOutput.create(item as unknown as OutputParams);
  });
  return new llm.ChatContext(restored.sort((a, b) => a.createdAt - b.createdAt));
}

type MessageParams = Omit<Parameters<typeof llm.ChatMessage.create>[0], 'content'>;
type CallParams = Parameters<typeof llm.FunctionCall.create>[0];
type OutputParams = Parameters<typeof llm.FunctionCallOutput.create>[0];

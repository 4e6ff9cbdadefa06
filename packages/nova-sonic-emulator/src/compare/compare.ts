// SPDX-License-Identifier: Apache-2.0
import type { StreamEndpoint } from './bedrock-stream.js';
import { loadSdk } from './bedrock-stream.js';
import { CONVERSATIONS, type ComparedConversation } from './conversations.js';
import { type Observation, type ObserveOptions, observeConversation } from './observe.js';
import { reach } from './reach.js';

/** One thing that two endpoints do differently. */
export interface Difference {
  /** Name of the conversation or of the probe. */
  conversation: string;
  /** Kind of the difference. */
  what: 'order' | 'fields' | 'timing' | 'error' | 'rule';
  /** The rule, the event's name or the interval. */
  subject: string;
  /** What the first endpoint did. */
  left: string;
  /** What the second one did. */
  right: string;
}

/** The result of a comparison of two endpoints. */
export interface Comparison {
  /** What both did, a pair for each conversation. */
  observations: { left: Observation; right: Observation }[];
  /** What differs, in the order of the conversations. */
  differences: Difference[];
}

/** Times differ when one is twice the other, and by more than this: a network and a busy machine take their share. */
const TIMING_MS = 400;

/**
 * Holds the conversations with both endpoints, one after the other, and reports what differs.
 * @throws Error of one sentence when one of them cannot be asked
 */
export async function compareEndpoints(
  left: StreamEndpoint,
  right: StreamEndpoint,
  options: ObserveOptions,
  conversations: readonly ComparedConversation[] = CONVERSATIONS,
  onProgress: (conversation: string) => void = () => {},
): Promise<Comparison> {
  const sdk = await loadSdk();
  for (const { url } of [left, right]) if (url) await reach(url);
  const comparison: Comparison = { observations: [], differences: [] };
  for (const conversation of conversations) {
    onProgress(conversation.name);
    const observed = {
      left: await observeConversation(sdk, left, conversation, options),
      right: await observeConversation(sdk, right, conversation, options),
    };
    comparison.observations.push(observed);
    comparison.differences.push(...differences(conversation, observed.left, observed.right));
  }
  return comparison;
}

/** What differs between two observations of a conversation. */
export function differences(
  { name, rule }: Pick<ComparedConversation, 'name' | 'rule'>,
  left: Observation,
  right: Observation,
): Difference[] {
  const found: Difference[] = [];
  const add = (what: Difference['what'], subject: string, a: string, b: string) => {
    if (a !== b) found.push({ conversation: name, what, subject, left: a, right: b });
  };
  add(rule ? 'rule' : 'error', rule ?? 'end', left.error ?? 'accepted', right.error ?? 'accepted');
  // What follows a refusal is no difference of its own, and a rule is tried without waiting for an answer.
  if (rule || left.error !== right.error) return found;
  add('order', 'events', left.order.join(', '), right.order.join(', '));
  for (const event of Object.keys(left.fields)) {
    const other = right.fields[event];
    if (other) add('fields', event, (left.fields[event] ?? []).join(', '), other.join(', '));
  }
  for (const [interval, ms] of Object.entries(left.timing)) {
    const other = right.timing[interval];
    if (other === undefined) continue;
    const [less, more] = [Math.min(ms, other), Math.max(ms, other)];
    if (more > 2 * less && more - less > TIMING_MS) {
      add('timing', interval, `${ms} ms`, `${other} ms`);
    }
  }
  return found;
}

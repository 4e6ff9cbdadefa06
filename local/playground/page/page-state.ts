// SPDX-License-Identifier: Apache-2.0

// The state of the page, which React follows. The state of a call (../state/call-state.ts) is one part of it.

import { appendEvents, type NumberedEvent } from '../state/bedrock-events.js';
import { type CallAction, type CallState, reduce } from '../state/call-state.js';
import type { Levels } from './call-recorder.js';
import { readPreference } from './devices.js';
import type { Problem } from './problems.js';
import { Store } from './store.js';
import type { Target } from './target.js';

export type CallPhase =
  | 'idle'
  | 'connecting'
  | 'waiting'
  | 'listening'
  | 'thinking'
  | 'speaking'
  | 'reconnecting'
  | 'ended';

export interface PageState {
  target: Target | undefined;
  phase: CallPhase;
  /** In a call, or connecting to one. */
  inCall: boolean;
  /** The current call, or the last one. */
  call: CallState | undefined;
  problems: Problem[];
  microphone: boolean;
  muted: boolean;
  pushToTalk: boolean;
  /** Push-to-talk: the user holds the button. */
  talking: boolean;
  /** The browser requires a click before it plays the agent's audio. */
  playbackBlocked: boolean;
  /** There is audio to download. */
  recorded: boolean;
}

export const pageState = new Store<PageState>({
  target: undefined,
  phase: 'idle',
  inCall: false,
  call: undefined,
  problems: [],
  microphone: false,
  muted: false,
  pushToTalk: readPreference('pushToTalk') === 'yes',
  talking: false,
  playbackBlocked: false,
  recorded: false,
});
export const levels = new Store<Levels>({ you: 0, agent: 0 });
/** Apart from the call's state: there are many, and few users look at them. */
export const bedrockEvents = new Store<readonly NumberedEvent[]>([]);

/** Applies an action to the state of the call. */
export function dispatch(action: CallAction): void {
  if (action.kind === 'call_event' && action.event.type === 'wire')
    bedrockEvents.set(appendEvents(bedrockEvents.get(), action.event.events));
  const { call } = pageState.get();
  if (call) pageState.merge({ call: reduce(call, action) });
}

/** Shows a problem; it replaces one with the same id. */
export function showProblem(problem: Problem): void {
  const { problems } = pageState.get();
  if (problems.includes(problem)) return;
  pageState.merge({ problems: [...problems.filter(({ id }) => id !== problem.id), problem] });
}

export function clearProblem(id: string): void {
  const { problems } = pageState.get();
  if (problems.some((problem) => problem.id === id))
    pageState.merge({ problems: problems.filter((problem) => problem.id !== id) });
}

const UNKNOWN_TARGET: Target = { kind: 'emulator', name: '', livekit: 'LiveKit', agentName: '' };
/** What the page talks to, as far as it knows. */
export function currentTarget(): Target {
  return pageState.get().target ?? UNKNOWN_TARGET;
}

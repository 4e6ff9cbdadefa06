// SPDX-License-Identifier: Apache-2.0

import { type NumberedEvent, numbered } from '../state/bedrock-events.js';
import { apply, type CallRecord, type Happening } from '../state/call-state.js';
import type { Levels } from './call-recorder.js';
import { remembered } from './devices.js';
import type { Problem, Target } from './problems.js';
import { Store } from './store.js';

export type AgentState =
  | 'idle'
  | 'connecting'
  | 'listening'
  | 'thinking'
  | 'speaking'
  | 'reconnecting'
  | 'ended';

export interface PhoneState {
  target: Target | undefined;
  agent: AgentState;
  /** In a call, or on the way into one. */
  inCall: boolean;
  record: CallRecord | undefined;
  problems: Problem[];
  microphone: boolean;
  muted: boolean;
  pushToTalk: boolean;
  /** Push-to-talk: the user holds the button. */
  talking: boolean;
  /** The browser wants a click before it lets the agent be heard. */
  blocked: boolean;
  /** Whether there is sound to download. */
  taped: boolean;
}

export const phone = new Store<PhoneState>({
  target: undefined,
  agent: 'idle',
  inCall: false,
  record: undefined,
  problems: [],
  microphone: false,
  muted: false,
  pushToTalk: remembered('pushToTalk') === 'yes',
  talking: false,
  blocked: false,
  taped: false,
});
export const levels = new Store<Levels>({ you: 0, agent: 0 });
/** Apart from the record: it is long, and looked at by few. */
export const wire = new Store<readonly NumberedEvent[]>([]);

/** Something happened in the call: the record has it from now on. */
export function happened(happening: Happening): void {
  if (happening.kind === 'feed' && happening.message.type === 'wire')
    wire.set(numbered(wire.get(), happening.message.events));
  const { record } = phone.get();
  if (record) phone.merge({ record: apply(record, happening) });
}

/** Shows a problem, in place of the one of the same kind that may be there. */
export function raise(what: Problem): void {
  const { problems } = phone.get();
  if (problems.includes(what)) return;
  phone.merge({ problems: [...problems.filter(({ id }) => id !== what.id), what] });
}

/** A problem is none any more. */
export function settle(id: string): void {
  const { problems } = phone.get();
  if (problems.some((one) => one.id === id))
    phone.merge({ problems: problems.filter((one) => one.id !== id) });
}

const fallback: Target = { kind: 'emulator', name: '', livekit: 'LiveKit', agentName: '' };
/** What the page talks to, as far as it knows. */
export function targetNow(): Target {
  return phone.get().target ?? fallback;
}

// SPDX-License-Identifier: Apache-2.0

import { log, type voice } from '@livekit/agents';
import { type RemoteParticipant, type Room, RoomEvent } from '@livekit/rtc-node';
import { Keypad, type KeypadEntryOptions } from './keypad.js';

/** What happens when the caller presses keys, for `assistant.ts`. */
export interface KeypadOptions extends KeypadEntryOptions {
  /**
   * Handles an entry. Returns instructions for what the agent says next, or nothing. Without a handler the model is told
   * which keys were pressed; with one it is told nothing but these instructions, as for a PIN.
   */
  // biome-ignore lint/suspicious/noConfusingVoidType: a handler that returns nothing is the usual one
  onDigits?: (digits: string) => string | void | Promise<string | void>;
}

/** Gives the keys that a caller presses to the handler or to the model. Returns a function that stops it. */
export function listenToKeypad(
  room: Room,
  session: voice.AgentSession,
  isCaller: (identity: string) => boolean,
  options: KeypadOptions = {},
  onKey: () => void = () => {},
): () => void {
  const keypad = new Keypad(options, (digits) => void enter(session, digits, options));
  const listener = (_code: number, key: string, participant: RemoteParticipant | undefined) => {
    if (!participant || !isCaller(participant.identity)) return;
    onKey();
    // A sender may put several keys into one event.
    for (const one of key) keypad.press(one);
  };
  room.on(RoomEvent.DtmfReceived, listener);
  return () => {
    room.off(RoomEvent.DtmfReceived, listener);
    keypad.close();
  };
}

async function enter(
  session: voice.AgentSession,
  digits: string,
  { onDigits }: KeypadOptions,
): Promise<void> {
  log().info({ keys: digits.length, 'lk.pii.keys': digits }, 'keys pressed');
  try {
    const instructions = await onDigits?.(digits);
    if (onDigits && !instructions) return;
    // As for typed text: the caller does not want to hear the rest.
    session.interrupt();
    session.generateReply(
      instructions
        ? { instructions }
        : { userInput: `(The caller pressed ${[...digits].join(' ')} on the keypad.)` },
    );
  } catch (error) {
    log().error({ error }, 'failed to handle keys');
  }
}

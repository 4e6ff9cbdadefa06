// SPDX-License-Identifier: Apache-2.0
import type { Quirks } from './dialogue/conversation.js';
import type { EmulatorContext } from './emulator.js';
import type { Session } from './session.js';

/** A fault. */
export interface Fault {
  kind: string;
}

/** The faults that are set. */
export class FaultSet {}

/** Applies the faults to one session. */
export class SessionFaults {
  silent = false;
  constructor(
    readonly set: FaultSet,
    readonly session: Session,
    readonly context: EmulatorContext,
  ) {}
  begin(): void {}
  close(): void {}
  holdHeaders(): boolean {
    return false;
  }
  quirks(): Quirks {
    return { textBeforeSpeechEnd: false, bareBargeIn: false, noFinalText: false };
  }
  seen(_direction: 'in' | 'out', _name: string): void {}
  outgoing(
    name: string,
    body: Record<string, unknown>,
  ): { name: string; body: Record<string, unknown>; raw?: Uint8Array }[] {
    return [{ name, body }];
  }
}

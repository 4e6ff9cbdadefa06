// SPDX-License-Identifier: Apache-2.0

import { log } from '@livekit/agents';
import { type MonotonicClock, systemMonotonicClock } from '../clock.js';
import { isAnswered, type PhoneAttributes, readPhoneAttributes } from './phone-attributes.js';
import { phoneUri, type SipFailure, sipFailure } from './sip-failure.js';

/** Between two keys: telephone systems miss faster ones. */
const KEY_PAUSE_MS = 300;
/** What a `w` stands for, as in LiveKit's `dtmf`. */
const WAIT_MS = 500;
const KEYS = '0123456789*#ABCD';
/** How long the destination of a transfer may ring. */
const RINGING_S = 30;
/** How much longer than it may ring the SIP service may take to answer. */
const SERVICE_MARGIN_MS = 10_000;

/** What a phone call needs from LiveKit. */
export interface PhoneLine {
  /** Attributes of the phone's participant, as they are now. */
  attributes(): Readonly<Record<string, string>>;
  /** LiveKit's `transferSipParticipant` for this participant. */
  transfer(to: string, options: { playDialtone: boolean; ringingTimeout: number }): Promise<void>;
  /** LiveKit's `publishDtmf`. */
  sendKey(code: number, key: string): Promise<void>;
  /** Starts or ends the music for the caller, who is not heard meanwhile. */
  hold(on: boolean): Promise<void>;
  /** Somebody else talks to the caller now: the agent's part is over. */
  transferred(): void;
}

export type PhoneResult = { ok: true } | ({ ok: false } & SipFailure);

/** The telephone of a call, for `assistant.ts`: what is known about it, and what can be done with it. */
export class PhoneCall {
  readonly direction: PhoneAttributes['direction'];
  /** The other side's number: who calls, or who was called. Undefined when it is withheld. */
  readonly number: string | undefined;
  /** Our number: the one that was called, or the one that the call comes from. */
  readonly trunkNumber: string | undefined;
  /** LiveKit's id of the SIP call, for its logs. */
  readonly callId: string | undefined;
  readonly #line: PhoneLine;
  readonly #clock: MonotonicClock;
  #endHold: (() => void) | undefined;

  constructor(line: PhoneLine, clock: MonotonicClock = systemMonotonicClock) {
    const { direction, number, trunkNumber, callId } = readPhoneAttributes(line.attributes());
    this.direction = direction;
    this.number = number;
    this.trunkNumber = trunkNumber;
    this.callId = callId;
    this.#line = line;
    this.#clock = clock;
  }

  /** What LiveKit says about the call now. */
  get status(): PhoneAttributes['status'] {
    return readPhoneAttributes(this.#line.attributes()).status;
  }

  /** Whether somebody hears what is said. */
  get answered(): boolean {
    return isAnswered(this);
  }

  /**
   * Transfers the caller to another number and ends the agent's part of the call (a cold transfer, by SIP REFER, which
   * the trunk's provider must allow). The caller hears a dial tone meanwhile. When it fails the call goes on.
   * @param to a number in international form, or a `tel:` or `sip:` URI
   * @param ringingTimeout seconds that the destination may ring; default 30
   */
  async transfer(to: string, { ringingTimeout = RINGING_S } = {}): Promise<PhoneResult> {
    const uri = phoneUri(to);
    if (!uri) return failed({ reason: 'not_found', message: 'This is no telephone number.' });
    const patienceMs = ringingTimeout * 1_000 + SERVICE_MARGIN_MS;
    const outcome = await this.#within(
      patienceMs,
      this.#line.transfer(uri, { playDialtone: true, ringingTimeout }),
    );
    log().info({ ...(outcome.ok ? {} : reported(outcome)), ok: outcome.ok }, 'phone transfer');
    if (outcome.ok) this.#line.transferred();
    return outcome;
  }

  /**
   * Presses keys, as for the menu of another machine: 0 to 9, *, #, A to D; `w` waits for half a second.
   * Resolves when all are sent.
   */
  async sendDigits(digits: string): Promise<PhoneResult> {
    const keys = digits.replace(/[\s-]/g, '');
    if (!/^[0-9*#A-Dw]+$/.test(keys))
      return failed({ reason: 'failed', message: 'Keys are 0 to 9, *, # and A to D.' });
    for (const key of keys) {
      if (key !== 'w') {
        const sent = await this.#within(
          SERVICE_MARGIN_MS,
          this.#line.sendKey(KEYS.indexOf(key), key),
        );
        if (!sent.ok) return sent;
      }
      await this.#pass(key === 'w' ? WAIT_MS : KEY_PAUSE_MS);
    }
    return { ok: true };
  }

  /** The caller is connected with somebody who joined the room: the agent leaves them to it. */
  connected(): void {
    this.#line.transferred();
  }

  /** Lets the caller hear music, unheard, until the time is over or `resume`. */
  async hold(ms: number): Promise<void> {
    if (this.#endHold) return;
    let cancel: () => void = () => {};
    const over = new Promise<void>((resolve) => {
      this.#endHold = resolve;
    });
    try {
      await this.#line.hold(true);
      cancel = this.#clock.after(ms, () => this.resume());
      await over;
    } finally {
      cancel();
      this.#endHold = undefined;
      await this.#line.hold(false);
    }
  }

  /** Ends a hold. */
  resume(): void {
    this.#endHold?.();
  }

  /** A service that never answers must not hold the call. */
  async #within(ms: number, request: Promise<void>): Promise<PhoneResult> {
    let cancel: () => void = () => {};
    const silence = new Promise<never>((_, reject) => {
      cancel = this.#clock.after(ms, () =>
        reject(new DOMException('The SIP service did not answer.', 'TimeoutError')),
      );
    });
    try {
      await Promise.race([request, silence]);
      return { ok: true };
    } catch (error) {
      return failed(sipFailure(error));
    } finally {
      cancel();
    }
  }

  #pass(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#clock.after(ms, resolve);
    });
  }
}

const failed = (failure: SipFailure): PhoneResult => ({ ok: false, ...failure });

/** What of a failure may be logged. */
const reported = ({ reason, sipStatus }: SipFailure) => ({ reason, sip_status: sipStatus });

// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';

/** The network between a client and the emulator. Each field holds for each direction by itself. */
export interface NetworkConditions {
  /** One-way delay, in milliseconds: a round trip takes twice as long.  @default 0 */
  latencyMs: number;
  /** The delay varies evenly by this much, up and down, in milliseconds; the order of bytes stays, as in TCP.  @default 0 */
  jitterMs: number;
  /** kbit per second; 0 is unlimited. A microphone at 16 kHz in frames of 32 ms needs about 550.  @default 0 */
  bandwidthKbps: number;
}

/** No network between: what happens without the option. */
export const NO_NETWORK: NetworkConditions = { latencyMs: 0, jitterMs: 0, bandwidthKbps: 0 };

const amount = z.number().min(0).optional();
const schema = z.strictObject({ latencyMs: amount, jitterMs: amount, bandwidthKbps: amount });

/** Conditions with what is left out taken from `base`. @throws Error of one sentence that names the field */
export function networkConditions(value: unknown, base = NO_NETWORK): NetworkConditions {
  const result = schema.safeParse(value);
  if (!result.success) {
    const [issue] = result.error.issues;
    const field = issue?.path.join('.');
    throw new Error(`network: ${field ? `${field}: ` : ''}${issue?.message}.`);
  }
  const given = Object.entries(result.data).filter(([, amount]) => amount !== undefined);
  return { ...base, ...Object.fromEntries(given) };
}

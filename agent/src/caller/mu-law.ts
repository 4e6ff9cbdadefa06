// SPDX-License-Identifier: Apache-2.0

/** A sample of G.711 mu-law: a sign, three bits of exponent, four of mantissa, all inverted. */
export function decodeMuLaw(byte: number): number {
  const code = ~byte & 0xff;
  const magnitude = ((((code & 0x0f) << 3) + 0x84) << ((code >> 4) & 7)) - 0x84;
  return code & 0x80 ? -magnitude : magnitude;
}

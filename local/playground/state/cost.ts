// SPDX-License-Identifier: Apache-2.0

import type { TokenCounts, TokenPrices } from 'livekit-plugin-nova-sonic/models';

/** US dollars for some tokens at prices for a million of each kind. */
export function cost(tokens: Required<TokenCounts>, prices: TokenPrices): number {
  return (
    (tokens.audioIn * prices.audioIn +
      tokens.audioOut * prices.audioOut +
      tokens.textIn * prices.textIn +
      tokens.textOut * prices.textOut) /
    1_000_000
  );
}

/** Dollars as a reader wants them: cents and their parts while small. */
export function dollars(usd: number): string {
  if (usd === 0) return '$0';
  const digits = usd < 0.01 ? 5 : usd < 1 ? 4 : 2;
  return `$${usd.toFixed(digits)}`;
}

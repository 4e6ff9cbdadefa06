// SPDX-License-Identifier: Apache-2.0

/** Formats US dollars; small amounts with more digits. */
export function formatUsd(usd: number): string {
  if (usd === 0) return '$0';
  const digits = usd < 0.01 ? 5 : usd < 1 ? 4 : 2;
  return `$${usd.toFixed(digits)}`;
}

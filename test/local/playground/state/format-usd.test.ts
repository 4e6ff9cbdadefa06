// SPDX-License-Identifier: Apache-2.0

import { formatUsd } from '../../../../local/playground/state/format-usd.js';

it.each([
  [0, '$0'],
  [0.001234, '$0.00123'],
  [0.25, '$0.2500'],
  [12.345, '$12.35'],
])('formats %d dollars as %s', (usd, text) => {
  expect(formatUsd(usd)).toBe(text);
});

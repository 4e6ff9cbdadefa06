// SPDX-License-Identifier: Apache-2.0

import { InvalidArgumentError } from 'commander';

/** A range of seconds like `40-90`, for an option of a command. */
export function parseRange(text: string): [number, number] {
  const [, least, most] = /^(\d+)-(\d+)$/.exec(text) ?? [];
  if (!least || Number(least) > Number(most))
    throw new InvalidArgumentError('Give two numbers of seconds like 40-90.');
  return [Number(least), Number(most)];
}

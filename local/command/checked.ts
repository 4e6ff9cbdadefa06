// SPDX-License-Identifier: Apache-2.0

import { InvalidArgumentError } from 'commander';

/** A parser of an option's value whose error commander prints in one sentence. */
export function checked<T>(parse: (text: string) => T): (text: string) => T {
  return (text) => {
    try {
      return parse(text);
    } catch (error) {
      throw new InvalidArgumentError((error as Error).message);
    }
  };
}

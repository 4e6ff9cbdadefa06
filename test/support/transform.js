// SPDX-License-Identifier: Apache-2.0

// Plain JavaScript: jest.config.js uses it.

import { createHash } from 'node:crypto';
import swc from '@swc/jest';

/**
 * What a module looks up once instead of at each use: Jest runs tests in a VM context, where a global costs 40 times as
 * much as elsewhere. Not what tests replace: timers, Date, fetch.
 */
const BUILT_INS = [
  ...['Array', 'BigInt', 'Boolean', 'Buffer', 'Error', 'JSON', 'Map', 'Math', 'Number', 'Object'],
  ...['Promise', 'Set', 'String', 'Symbol', 'Float32Array', 'Float64Array', 'Int16Array'],
  ...['Uint8Array'],
];

/** A module with those that it uses as constants, on its first line, so that the others keep their numbers. */
function withConstants({ code, map }) {
  const used = BUILT_INS.filter((name) => new RegExp(`\\b${name}\\b`).test(code));
  if (used.length === 0 || code.startsWith('#!')) return { code, map };
  return { code: `const { ${used.join(', ')} } = globalThis; ${code}`, map };
}

/** @swc/jest, with the built-in objects as constants of each module. */
export default {
  createTransformer(options) {
    const transformer = swc.createTransformer(options);
    return {
      ...transformer,
      process: (...args) => withConstants(transformer.process(...args)),
      processAsync: async (...args) => withConstants(await transformer.processAsync(...args)),
      getCacheKey: (...args) =>
        createHash('sha1')
          .update(transformer.getCacheKey(...args))
          .update(BUILT_INS.join())
          .digest('hex'),
    };
  },
};

// SPDX-License-Identifier: Apache-2.0

// Plain JavaScript: jest.config.js uses it.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const OUTSIDE = "globalThis[Symbol.for('outside')]";

/** The code names what a module exports, so the module is loaded here; Jest keeps the code for all runs. */
async function handOnModule(path) {
  const { href } = pathToFileURL(path);
  const names = Object.keys(await import(href)).map((name) => JSON.stringify(name));
  return [
    `const m = await ${OUTSIDE}.import(${JSON.stringify(href)});`,
    ...names.map((name, index) => `const e${index} = m[${name}];`),
    `export { ${names.map((name, index) => `e${index} as ${name}`).join(', ')} };`,
  ].join('\n');
}

const handOnCommonJs = (path) => `module.exports = ${OUTSIDE}.require(${JSON.stringify(path)});`;

/** What a module exports changes with its package. */
function getCacheKey(_source, path) {
  const [folder] = /.*\/node_modules\/(?:@[^/]+\/)?[^/]+\//.exec(path) ?? [];
  const hash = createHash('sha1').update(path);
  for (const file of [new URL(import.meta.url), path, `${folder}package.json`])
    hash.update(readFileSync(file));
  return hash.digest('hex');
}

/** @returns a transformer that makes of a module one that hands on the same one from outside: see `environment.js` */
export default {
  createTransformer: ({ type }) =>
    type === 'module'
      ? { getCacheKey, processAsync: async (_, path) => ({ code: await handOnModule(path) }) }
      : { getCacheKey, process: (_, path) => ({ code: handOnCommonJs(path) }) },
};

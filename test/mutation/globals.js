// SPDX-License-Identifier: Apache-2.0

// What @jest/globals gives, outside Jest: the tests are collected once and run many times, see runner.js.

import { expect } from 'expect';
import { ModuleMocker } from 'jest-mock';

export { expect };

/** A test, with the hooks of the blocks that it is in, the outermost first. */
export const collected = [];
/** The file that is being collected. */
let file = '';
let block = newBlock('');

function newBlock(name, parent) {
  return { name, parent, beforeAll: [], beforeEach: [], afterEach: [], afterAll: [] };
}

export async function collect(name, load) {
  file = name;
  block = newBlock(name);
  await load();
}

const mocker = new ModuleMocker(globalThis);
export const jest = {
  fn: (...args) => mocker.fn(...args),
  spyOn: (...args) => mocker.spyOn(...args),
  restoreAllMocks: () => mocker.restoreAllMocks(),
};

const chain = (inner) => (inner ? [...chain(inner.parent), inner] : []);

function define(name, run, timeoutMs) {
  const blocks = chain(block);
  const full = blocks.map((one) => one.name).join(' › ');
  collected.push({ file, name: `${full} › ${name}`, blocks, run, timeoutMs });
}

function group(name, body) {
  const outer = block;
  block = newBlock(name, outer);
  body();
  block = outer;
}

/** Jest's tables: a row is a list of arguments, or the only one. */
const each = (one) => (table) => (name, run, timeoutMs) => {
  for (const [i, row] of table.entries()) {
    const args = Array.isArray(row) ? row : [row];
    one(`${name} (${i})`, () => run(...args), timeoutMs);
  }
};

export const test = Object.assign(define, { each: each(define) });
export const it = test;
export const describe = Object.assign(group, { each: each(group) });

const hook = (kind) => (run) => {
  block[kind].push(run);
};
export const beforeAll = hook('beforeAll');
export const beforeEach = hook('beforeEach');
export const afterEach = hook('afterEach');
export const afterAll = hook('afterAll');

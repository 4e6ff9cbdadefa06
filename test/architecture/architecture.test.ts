// SPDX-License-Identifier: Apache-2.0

import { describe, expect, test } from '@jest/globals';
import { LONG, longFiles, type SourceFile, sharedNames, sourceFiles } from './survey.js';

/** Names that several files may export, each with one meaning. */
const ALLOWED = new Map([
  ['Clock', 'the packages stand alone, and both take the time from their caller'],
  [
    'createProgram',
    'each command exports its commander program, from which docs/generate makes its flags',
  ],
]);

const file = (path: string, ...lines: string[]): SourceFile => ({ path, text: lines.join('\n') });
const long = (head: string) => file('a.ts', head, ...Array<string>(LONG + 1).fill('line();'));

describe('names', () => {
  test('each exported name is declared in one file, so that it has one meaning', () => {
    const shared = [...sharedNames(sourceFiles())].filter(([name]) => !ALLOWED.has(name));
    expect(shared).toEqual([]);
  });

  test('each exception still is one', () => {
    const shared = sharedNames(sourceFiles());
    expect([...ALLOWED.keys()].filter((name) => !shared.has(name))).toEqual([]);
  });

  test('are found in every kind of declaration, and not in what is only exported again', () => {
    const first = file(
      'a.ts',
      'export class A {}',
      'export abstract class B {}',
      'export interface C {}',
      'export type D = 1;',
      'export const E = 1;',
      'export async function F() {}',
      'export default function G() {}',
      'export { H } from "./b.js";',
      'const I = 1;',
    );
    const second = file(
      'b.ts',
      ...['A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I'].map((name) => `export const ${name} = 2;`),
    );
    expect([...sharedNames([first, second]).keys()]).toEqual(['A', 'B', 'C', 'D', 'E', 'F', 'G']);
  });
});

describe('files', () => {
  test(`of more than ${LONG} lines say why in their head`, () => {
    expect(longFiles(sourceFiles())).toEqual([]);
  });

  test('that are long are found, unless they give a reason', () => {
    expect(longFiles([long('// SPDX-License-Identifier: Apache-2.0')])).toEqual([
      { path: 'a.ts', lines: LONG + 1 },
    ]);
    expect(longFiles([long('// Long because it is a table of all rules.')])).toEqual([]);
  });
});

// SPDX-License-Identifier: Apache-2.0
// What comes in from outside, right or broken in some way.

import fc from 'fast-check';

const NASTY = [
  '__proto__',
  'constructor',
  'toString',
  '',
  '\u0000',
  '💥',
  '\ud800',
  '../..',
  'null',
];

/** Text of any kind, also half characters and names that objects have of their own. */
export const nastyText: fc.Arbitrary<string> = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.constantFrom(...NASTY),
  fc.integer({ min: 0, max: 5_000 }).map((length) => 'x'.repeat(length)),
);

/** Any value of JSON in which these names occur often. */
export const jsonWith = (names: readonly string[]): fc.Arbitrary<unknown> =>
  fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      fc.constantFrom(null, true, false, 0, -1, 1e308, 5e-324, 2 ** 53),
      fc.double(),
      nastyText,
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(fc.constantFrom(...names, ...NASTY), tie('value'), {
        maxKeys: 6,
        noNullPrototype: true,
      }),
    ),
  })).value;

/** The text of a document, sometimes cut or with one character changed. */
export const brokenText = (document: fc.Arbitrary<unknown>): fc.Arbitrary<string> =>
  fc
    .tuple(document, fc.option(fc.nat(), { freq: 3 }), fc.option(fc.nat(), { freq: 3 }))
    .map(([value, cut, change]) => {
      let text = JSON.stringify(value) ?? 'null';
      if (change !== null && text) {
        const at = change % text.length;
        text = `${text.slice(0, at)}${String.fromCharCode(change % 128)}${text.slice(at + 1)}`;
      }
      return cut === null ? text : text.slice(0, cut % (text.length + 1));
    });

/** Bytes, sometimes with a few of them changed. */
export const brokenBytes = (bytes: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> =>
  fc
    .tuple(
      bytes,
      fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { maxLength: 3 }),
      fc.option(fc.nat()),
    )
    .map(([original, changes, cut]) => {
      const copy = Uint8Array.from(original);
      for (const [at, byte] of changes) if (copy.length > 0) copy[at % copy.length] = byte;
      return cut === null ? copy : copy.slice(0, cut % (copy.length + 1));
    });

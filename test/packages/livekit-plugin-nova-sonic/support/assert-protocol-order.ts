// SPDX-License-Identifier: Apache-2.0
import { expect } from '@jest/globals';
import type { ScriptedStream } from './scripted-server.js';

/** The opening is whole and in order: the history before the audio, and nothing but silence of ours at its beginning. */
export function expectLegal(stream: ScriptedStream): void {
  const { said } = stream;
  const names = said.map((e) => e.name);
  expect(names.slice(0, 2)).toEqual(['sessionStart', 'promptStart']);
  const audio = said.findIndex((e) => e.name === 'contentStart' && e.body.type === 'AUDIO');
  expect(audio).toBeGreaterThan(1);
  expect(names.indexOf('audioInput')).toBe(audio + 1);
  for (const [i, { name, body }] of said.entries()) {
    if (name !== 'contentStart' || body.type !== 'TEXT') continue;
    expect([body.role, body.interactive, i > audio]).toEqual([body.role, i > audio, i > audio]);
  }
  const open = new Set<unknown>();
  for (const { name, body } of said) {
    if (name === 'contentStart') {
      expect(open.has(body.contentName)).toBe(false);
      open.add(body.contentName);
    } else if (['textInput', 'audioInput', 'toolResult', 'contentEnd'].includes(name)) {
      expect(open.has(body.contentName)).toBe(true);
      if (name === 'contentEnd') open.delete(body.contentName);
    }
  }
  const end = names.indexOf('sessionEnd');
  if (end >= 0) expect(names.slice(end - 2)).toEqual(['contentEnd', 'promptEnd', 'sessionEnd']);
}

// SPDX-License-Identifier: Apache-2.0
import { expect, test } from '@jest/globals';
import { ContentBlocks } from '../../../../packages/livekit-plugin-nova-sonic/src/turns/content-blocks.js';

test('blocks are found by their ids, the oldest are dropped, and another stream has its own', () => {
  const contents = new ContentBlocks();
  for (let i = 1; i <= 501; i += 1) {
    contents.start({ type: 'contentStart', contentId: `c${i}`, kind: 'AUDIO', role: 'ASSISTANT' });
  }
  expect(contents.get('c1')).toBeUndefined();
  expect(contents.get('c2')).toEqual({ kind: 'AUDIO', role: 'ASSISTANT', discarded: false });
  contents.clear();
  expect(contents.get('c501')).toBeUndefined();
});

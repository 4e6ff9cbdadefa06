// SPDX-License-Identifier: Apache-2.0

import { expect, it } from '@jest/globals';
import { TextOutbox } from '../../../../local/playground/state/text-outbox.js';

function outbox() {
  const link = { up: true, sent: [] as string[] };
  const box = new TextOutbox(
    () => link.up,
    async (text) => {
      link.sent.push(text);
    },
  );
  return { link, box };
}

it('sends at once while connected', async () => {
  const { link, box } = outbox();
  await box.add('one');
  await box.add('two');
  expect(link.sent).toEqual(['one', 'two']);
});

it('keeps what is added without a connection, and sends it once and in order when flushed', async () => {
  const { link, box } = outbox();
  link.up = false;
  await box.add('one');
  await box.add('two');
  expect(link.sent).toEqual([]);
  link.up = true;
  await box.flush();
  await box.add('three');
  await box.flush();
  expect(link.sent).toEqual(['one', 'two', 'three']);
});

it('stops when the connection is lost in between, and goes on later', async () => {
  const sent: string[] = [];
  let up = false;
  const box = new TextOutbox(
    () => up,
    async (text) => {
      sent.push(text);
      up = false;
    },
  );
  await box.add('one');
  await box.add('two');
  up = true;
  await box.flush();
  expect(sent).toEqual(['one']);
  up = true;
  await box.flush();
  expect(sent).toEqual(['one', 'two']);
});

it('sends again, in order, what was not confirmed, and only that', async () => {
  const { link, box } = outbox();
  for (const text of ['one', 'two', 'two']) await box.add(text);
  box.confirm('two ');
  await box.resend();
  expect(link.sent).toEqual(['one', 'two', 'two', 'one', 'two']);
  for (const text of ['one', 'two', 'three']) box.confirm(text);
  await box.resend();
  expect(link.sent).toHaveLength(5);
});

it('without a connection, what is sent again waits before what was added later', async () => {
  const { link, box } = outbox();
  await box.add('one');
  link.up = false;
  await box.add('two');
  await box.resend();
  expect(link.sent).toEqual(['one']);
  link.up = true;
  await box.flush();
  expect(link.sent).toEqual(['one', 'one', 'two']);
});

// SPDX-License-Identifier: Apache-2.0
// One team saw on Nova 2.5 that audio during a pending tool ends the stream (the emulator's fault `deaf-during-tool`).
import { expect, test } from '@jest/globals';
import { rig, server, startAgent } from '../support/scripted-call.js';
import * as serverEvents from '../support/server-events.js';
import { toolRunning } from '../support/tool-calls.js';

test('a stream that ends while a tool runs: the tool runs once, and its result is answered on the next', async () => {
  let runs = 0;
  let started = () => {};
  let finish = () => {};
  const running = new Promise<void>((resolve) => {
    started = resolve;
  });
  const tools = {
    look_up: toolRunning(async () => {
      runs += 1;
      await new Promise<void>((resolve) => {
        finish = resolve;
        started();
      });
      return { found: 'twelve' };
    }),
  };
  await startAgent({ instructions: 'Be brief.', tools });
  const first = await server.stream(0);
  first.send(
    ...serverEvents.userText('How many?'),
    ...serverEvents.toolUse('look_up', {}, 'use-1'),
  );
  await running;
  first.throw('validationException', 'Invalid input request');
  const second = await server.stream(1);
  second.send({ usageEvent: { details: {} } });
  finish();
  await second.received(
    (e) => e.name === 'textInput' && /returned \{"found":"twelve"\}/.test(String(e.body.content)),
  );
  second.send(...serverEvents.reply('Twelve.', 80));
  await rig.item('assistant', 'Twelve');
  expect(runs).toBe(1);
});

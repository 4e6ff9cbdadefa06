// SPDX-License-Identifier: Apache-2.0
// The bodies of the output events, field by field (Amazon Nova 2 user guide, sonic-output-events; capture).

import { expect, it } from '@jest/globals';
import { OutputEvents } from '../../../../packages/nova-sonic-emulator/src/dialogue/output-events.js';
import { textTokens, Usage } from '../../../../packages/nova-sonic-emulator/src/dialogue/usage.js';
import { SeededRandom } from '../../../../packages/nova-sonic-emulator/src/random.js';
import { DialogueHarness } from './dialogue-harness.js';

const UUID = expect.stringMatching(
  /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/,
);
const ids = { completionId: UUID, contentId: UUID };

function begin() {
  const sent: unknown[] = [];
  const output = new OutputEvents(
    { emit: (name, body) => sent.push([name, body]), note: () => {}, fail: () => {} },
    new SeededRandom(1),
  );
  return { sent, output };
}

it('a text is a block of three events', () => {
  const { sent, output } = begin();
  output.sendText('ASSISTANT', 'SPECULATIVE', 'Hello.', 'PARTIAL_TURN');
  expect(sent).toEqual([
    [
      'contentStart',
      {
        ...ids,
        additionalModelFields: '{"generationStage":"SPECULATIVE"}',
        role: 'ASSISTANT',
        textOutputConfiguration: { mediaType: 'text/plain' },
        type: 'TEXT',
      },
    ],
    ['textOutput', { ...ids, content: 'Hello.', role: 'ASSISTANT' }],
    ['contentEnd', { ...ids, stopReason: 'PARTIAL_TURN', type: 'TEXT' }],
  ]);
});

it('the completion begins once, and ends if it began; speech of the user belongs to none', () => {
  const { sent, output } = begin();
  output.endCompletion();
  output.emit('userSpeechStart', { inputAudioOffsetMs: 1 });
  output.startCompletion();
  output.startCompletion();
  output.endCompletion();
  expect(sent).toEqual([
    ['userSpeechStart', { inputAudioOffsetMs: 1 }],
    ['completionStart', { completionId: UUID }],
    ['completionEnd', { completionId: UUID, stopReason: 'END_TURN' }],
  ]);
});

it('usage adds up by direction and kind, and stops at the end', () => {
  const { sent, output } = begin();
  output.sendUsage({ input: { speechTokens: 1, textTokens: 2 }, output: { speechTokens: 3 } });
  output.sendUsage({ output: { speechTokens: 10, textTokens: 20 } });
  output.close();
  output.sendUsage({ input: { textTokens: 1 } });
  expect(sent).toHaveLength(2);
  expect(sent[1]).toEqual([
    'usageEvent',
    {
      completionId: UUID,
      details: {
        delta: {
          input: { speechTokens: 0, textTokens: 0 },
          output: { speechTokens: 10, textTokens: 20 },
        },
        total: {
          input: { speechTokens: 1, textTokens: 2 },
          output: { speechTokens: 13, textTokens: 20 },
        },
      },
      totalInputTokens: 3,
      totalOutputTokens: 33,
      totalTokens: 36,
    },
  ]);
});

it('what an event said of usage stays as it was', () => {
  const usage = new Usage();
  const first = usage.add({ input: { textTokens: 1 } });
  const before = structuredClone(first);
  usage.add({ input: { textTokens: 1 } });
  expect(first).toEqual(before);
  expect(['', 'four', 'fives'].map(textTokens)).toEqual([0, 1, 2]);
});

it('audio and a tool call are blocks of their own', async () => {
  const harness = new DialogueHarness([
    { user: 'A', steps: [{ say: 'B.' }, { tools: [{ name: 'clock', args: { a: 1 } }] }] },
  ]);
  await harness.speak();
  await harness.clock.pass(4_000);
  const blocks = harness.sent
    .filter(({ body }) => body.type === 'AUDIO' || body.type === 'TOOL' || body.toolUseId)
    .map(({ name, body }) => [name, body]);
  const audio = { channelCount: 1, encoding: 'base64', mediaType: 'audio/lpcm' };
  expect(blocks).toEqual([
    [
      'contentStart',
      {
        ...ids,
        audioOutputConfiguration: { ...audio, sampleRateHertz: 8_000, sampleSizeBits: 16 },
        role: 'ASSISTANT',
        type: 'AUDIO',
      },
    ],
    ['contentEnd', { ...ids, stopReason: 'PARTIAL_TURN', type: 'AUDIO' }],
    [
      'contentStart',
      {
        ...ids,
        role: 'TOOL',
        toolUseOutputConfiguration: { mediaType: 'application/json' },
        type: 'TOOL',
      },
    ],
    ['toolUse', { ...ids, content: '{"a":1}', role: 'TOOL', toolName: 'clock', toolUseId: UUID }],
    ['contentEnd', { ...ids, stopReason: 'TOOL_USE', type: 'TOOL' }],
  ]);
  expect(harness.of('audioOutput')[0]?.body).toEqual({
    ...ids,
    content: expect.any(String),
    role: 'ASSISTANT',
  });
  expect(harness.of('userSpeechStart')[0]?.body).toEqual({ inputAudioOffsetMs: 0 });
  expect(harness.of('userSpeechEnd')[0]?.body).toEqual({
    inputAudioOffsetMs: 1_000,
    inputAudioDetectionOffsetMs: 2_600,
  });
});

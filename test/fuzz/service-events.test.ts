// SPDX-License-Identifier: Apache-2.0
// JSON of the service, as the plugin reads it.

import { describe, test } from '@jest/globals';
import fc from 'fast-check';
import { withoutAudio } from '../../packages/livekit-plugin-nova-sonic/src/protocol/event-document.js';
import { parseServerEvent } from '../../packages/livekit-plugin-nova-sonic/src/protocol/server-events.js';
import { decodeAudio } from '../../packages/livekit-plugin-nova-sonic/src/session/generation-channels.js';
import { acceptableSchema } from '../../packages/livekit-plugin-nova-sonic/src/tools/json-schema.js';
import { toolResultContent } from '../../packages/livekit-plugin-nova-sonic/src/tools/tool-output.js';
import { Conversation } from '../../packages/livekit-plugin-nova-sonic/src/turns/conversation.js';
import type { Effect } from '../../packages/livekit-plugin-nova-sonic/src/turns/effects.js';
import { fuzz } from '../support/properties.js';
import { brokenText, jsonWith, nastyText } from './inputs.js';

const EVENTS = [
  'completionStart',
  'contentStart',
  'textOutput',
  'audioOutput',
  'toolUse',
  'contentEnd',
  'usageEvent',
  'completionEnd',
  'userSpeechStart',
  'userSpeechEnd',
];
const FIELDS = [
  'contentId',
  'type',
  'role',
  'content',
  'stopReason',
  'toolUseId',
  'toolName',
  'details',
  'delta',
  'input',
  'speechTokens',
];
const any = jsonWith([...EVENTS, ...FIELDS, 'event']);
const id = fc.constantFrom('c1', 'c2', 'c3');
const stage = fc.constantFrom(
  '{"generationStage":"SPECULATIVE"}',
  '{"generationStage":"FINAL"}',
  '{',
  undefined,
);
/** Events that make sense, in an order that need not. */
const sensible = fc
  .oneof(
    fc
      .record({
        contentId: id,
        type: fc.constantFrom('TEXT', 'AUDIO', 'TOOL'),
        role: fc.constantFrom('USER', 'ASSISTANT'),
        additionalModelFields: stage,
      })
      .map((contentStart) => ({ contentStart })),
    fc
      .record({
        contentId: id,
        role: fc.constantFrom('USER', 'ASSISTANT'),
        content: fc.constantFrom('Hello.', '{ "interrupted" : true }', ' ', 'Yes. No.'),
      })
      .map((textOutput) => ({ textOutput })),
    fc
      .record({ contentId: id, content: fc.constantFrom('AAAA', 'A', '', '!') })
      .map((audioOutput) => ({ audioOutput })),
    fc
      .record({
        contentId: id,
        toolUseId: fc.constantFrom('u1', 'u2'),
        toolName: fc.constant('book'),
        content: nastyText,
      })
      .map((toolUse) => ({ toolUse })),
    fc
      .record({
        contentId: id,
        type: fc.constantFrom('TEXT', 'AUDIO', 'TOOL'),
        stopReason: fc.constantFrom('END_TURN', 'PARTIAL_TURN', 'INTERRUPTED', 'TOOL_USE'),
      })
      .map((contentEnd) => ({ contentEnd })),
    fc
      .record({ inputAudioOffsetMs: fc.integer({ min: -5, max: 5_000 }) })
      .map((userSpeechStart) => ({ userSpeechStart })),
    fc.record({ inputAudioOffsetMs: fc.double() }).map((userSpeechEnd) => ({ userSpeechEnd })),
    fc.constant({ completionEnd: {} }),
  )
  .map((event): unknown => ({ event }));

describe('what the service sends', () => {
  test('is read whatever it is, as text, bytes or a document', () => {
    fuzz(
      fc.oneof(
        any,
        any.map((event) => ({ event })),
        brokenText(any),
      ),
      (document) => {
        const event = parseServerEvent(document);
        if (typeof event.type !== 'string') throw new Error('no event');
        if (typeof document === 'string') parseServerEvent(Buffer.from(document));
        withoutAudio(document);
      },
    );
  });

  test('in any order leaves a conversation that holds together', () => {
    const act = fc.tuple(
      fc.oneof(
        { weight: 8, arbitrary: sensible },
        { weight: 1, arbitrary: any.map((event): unknown => ({ event })) },
      ),
      fc.constantFrom(0, 10, 900, 9_000),
    );
    fuzz(fc.array(act, { maxLength: 25 }), (acts) => {
      let ids = 0;
      let now = 1_000;
      const conversation = new Conversation({
        newId: (p) => `${p}${++ids}`,
        outputSampleRate: 24_000,
      });
      const open = new Set<string>();
      const follow = (effects: readonly Effect[]) => {
        for (const effect of effects) {
          if (effect.type === 'generation_opened') {
            if (open.size > 0) throw new Error('two replies are open');
            open.add(effect.response.id);
          } else if (effect.type === 'generation_closed') {
            if (!open.delete(effect.response.id)) throw new Error('closed, but not open');
          } else if (
            effect.type === 'text' ||
            effect.type === 'audio' ||
            effect.type === 'tool_call'
          ) {
            if (!open.has(effect.id)) throw new Error(`${effect.type} in no open reply`);
          }
        }
      };
      for (const [document, ms] of acts) {
        now += ms;
        follow(conversation.tick(now));
        follow(
          conversation.apply(parseServerEvent(document), { now, sampleAt: (offset) => offset }),
        );
      }
      follow(conversation.end(now).effects);
      if (open.size > 0) throw new Error('a reply is left open');
    });
  });

  test('as audio is samples, whatever the text', () => {
    fuzz(nastyText, (content) => {
      for (const frame of decodeAudio(content, 24_000))
        if (frame.samplesPerChannel > 1_200 || frame.samplesPerChannel < 1)
          throw new Error('a frame of a wrong length');
    });
  });
});

describe('what a tool', () => {
  test('declares is a schema for the service or an Error', () => {
    const schema = jsonWith([
      '$ref',
      '$defs',
      'properties',
      'type',
      'required',
      'items',
      'default',
      'anyOf',
      '#',
      '#/$defs/a',
    ]);
    fuzz(
      fc.oneof(
        schema,
        fc.record({ type: fc.constant('object'), properties: schema, $defs: schema }),
      ),
      (given) => {
        try {
          JSON.stringify(acceptableSchema(given));
        } catch (error) {
          if (
            !(error instanceof Error) ||
            error instanceof RangeError ||
            error instanceof TypeError
          )
            throw error;
        }
      },
    );
  });

  test('returns is one JSON object', () => {
    fuzz(fc.oneof(nastyText, brokenText(any)), (output) => {
      const value = JSON.parse(toolResultContent(output, false));
      if (typeof value !== 'object' || value === null || Array.isArray(value))
        throw new Error('no object');
    });
  });
});

// SPDX-License-Identifier: Apache-2.0
// What comes in from a room: texts, attributes of people and telephones, metadata of a dispatch, keys.

import { describe, expect, test } from '@jest/globals';
import { initializeLogger } from '@livekit/agents';
import type { Room } from '@livekit/rtc-node';
import fc from 'fast-check';
import { CallEventPublisher } from '../../agent/src/call/call-event-publisher.js';
import type { CallEvent } from '../../agent/src/call/call-events.js';
import { CallerChoice, parseAttributeCondition } from '../../agent/src/call/caller-choice.js';
import { parseMetadata } from '../../agent/src/call/parse-metadata.js';
import { ReorderBuffer } from '../../agent/src/call/reorder-buffer.js';
import { Keypad } from '../../agent/src/phone/keypad.js';
import { isAnswered, readPhoneAttributes } from '../../agent/src/phone/phone-attributes.js';
import { phoneUri, sipFailure } from '../../agent/src/phone/sip-failure.js';
import { maskPhoneNumbers, redactPii } from '../../agent/src/telemetry/redaction.js';
import { initialCallState, reduce } from '../../local/playground/state/call-state.js';
import { ManualClock } from '../support/manual-clock.js';
import { fuzz } from '../support/properties.js';
import { brokenText, jsonWith, nastyText } from './inputs.js';

initializeLogger({ pretty: false, level: 'silent' });

const SIP = [
  'sip.callStatus',
  'sip.ruleID',
  'sip.phoneNumber',
  'sip.trunkPhoneNumber',
  'sip.callID',
];
const attributes = fc.dictionary(fc.oneof(fc.constantFrom(...SIP, 'role'), nastyText), nastyText, {
  maxKeys: 6,
});

describe('the metadata of a dispatch', () => {
  test('is its JSON, or the text itself', () => {
    fuzz(fc.oneof(nastyText, brokenText(jsonWith(['customer', 'language']))), (text) => {
      const metadata = parseMetadata(text);
      if (
        typeof metadata === 'string' &&
        text !== metadata &&
        JSON.stringify(metadata) !== text.trim()
      )
        expect(JSON.parse(text)).toBe(metadata);
    });
  });
});

describe('the attributes of a telephone', () => {
  test('are read, whatever they are', () => {
    fuzz(attributes, (given) => {
      const phone = readPhoneAttributes(given);
      if (phone.direction !== 'inbound' && phone.direction !== 'outbound')
        throw new Error('no direction');
      if (phone.number === '') throw new Error('an empty number');
      isAnswered(phone);
    });
  });

  test('a number to dial is a URI or none', () => {
    fuzz(
      fc.oneof(
        nastyText,
        fc.stringMatching(/^[+0-9 ().-]{0,25}$/),
        nastyText.map((t) => `sip:${t}`),
      ),
      (to) => {
        const uri = phoneUri(to);
        if (uri !== undefined && !/^(tel|sips?):[^\s]/.test(uri)) throw new Error(`dialed ${uri}`);
      },
    );
  });

  test('a failure of LiveKit’s API is a sentence', () => {
    const error = jsonWith(['name', 'code', 'sipStatusCode', 'message']);
    fuzz(error, (thrown) => {
      if (!sipFailure(thrown).message.endsWith('.')) throw new Error('no sentence');
    });
  });

  test('keys make entries of keys', () => {
    fuzz(
      fc.array(fc.oneof(nastyText, fc.constantFrom(...'0123456789*#ABCD')), { maxLength: 100 }),
      (keys) => {
        const entries: string[] = [];
        const keypad = new Keypad({}, (entry) => entries.push(entry), new ManualClock());
        for (const key of keys) keypad.press(key);
        keypad.close();
        const pressed = keys.filter((key) => /^[0-9*#A-D]$/.test(key)).length;
        if (entries.some((entry) => !/^[0-9*#A-D]{1,64}$/.test(entry)))
          throw new Error('no entry of keys');
        if (entries.join('').length > pressed) throw new Error('more keys than were pressed');
      },
    );
  });
});

describe('the people in a room', () => {
  const participant = fc.record({
    identity: fc.constantFrom('ann', 'bob', 'agent', '__proto__'),
    sid: fc.constantFrom('s1', 's2', 's3'),
    kind: fc.constantFrom('standard', 'sip', 'agent', 'ingress', 'bridge' as const),
    attributes,
    metadata: fc.oneof(nastyText, brokenText(jsonWith(['role']))),
    mayPublishAudio: fc.boolean(),
    publishesAudio: fc.boolean(),
    joinedAt: fc.nat(),
  });

  test('of whom one at most is the caller, who is there', () => {
    const step = fc.record({
      people: fc.uniqueArray(participant, { maxLength: 4, selector: (p) => p.identity }),
      ms: fc.nat({ max: 40_000 }),
      left: fc.boolean(),
    });
    const rule = fc.oneof(nastyText, fc.constantFrom('role', 'role=caller', 'role!=bot'));
    fuzz(
      fc.tuple(rule, fc.constantFrom('first', 'all' as const), fc.array(step, { maxLength: 6 })),
      ([text, heard, steps]) => {
        const attribute = parseAttributeCondition(text);
        const choice = new CallerChoice({ ...(attribute && { attribute }), heard });
        let now = 0;
        for (const { people, ms, left } of steps) {
          now += ms;
          if (left) choice.left('ann', true, now);
          const { identities, againInMs } = choice.update(people as never, now);
          const here = new Set(people.map(({ identity }) => identity as string));
          if (identities.some((one) => !here.has(one)))
            throw new Error('somebody who is not there');
          if (heard === 'first' && identities.length > 1) throw new Error('several are heard');
          if (againInMs !== undefined && !(againInMs > 0 && againInMs <= 2_000))
            throw new Error('decides at no time');
        }
      },
    );
  });
});

describe('the texts of a room', () => {
  test('that ask for a replay get what there is, once and in order', () => {
    fuzz(fc.oneof(nastyText, fc.integer().map(String), fc.double().map(String)), (request) => {
      const sent: number[] = [];
      let replay: ((reader: unknown, from: { identity: string }) => Promise<void>) | undefined;
      const room = {
        registerTextStreamHandler: (_: string, handler: typeof replay) => {
          replay = handler;
        },
        localParticipant: { sendText: (text: string) => void sent.push(JSON.parse(text).seq) },
      };
      const publisher = new CallEventPublisher(room as unknown as Room);
      for (let i = 0; i < 3; i += 1) publisher.publish({ type: 'state', who: 'user', state: 'x' });
      void replay?.({ readAll: () => Promise.resolve(request) }, { identity: 'ann' });
      if (sent.length > 6) throw new Error('sent more than there is');
    });
  });

  const TYPES = [
    'ready',
    'state',
    'message',
    'tool_started',
    'tool',
    'turn',
    'barge_in',
    'usage',
    'stream',
    'error',
    'ended',
    'wire',
    '?',
  ];
  const FIELDS = [
    'who',
    'state',
    'role',
    'text',
    'interrupted',
    'callId',
    'name',
    'args',
    'result',
    'ms',
    'event',
    'responseId',
    'firstAudioAt',
    'reason',
    'message',
  ];

  test('that an agent publishes leave a page that shows a call', () => {
    const text = fc.string({ maxLength: 8 });
    const event = fc.record({
      type: fc.constantFrom(...TYPES),
      at: fc.double({ noNaN: true, noDefaultInfinity: true }),
      ...Object.fromEntries(FIELDS.map((field) => [field, text])),
    });
    fuzz(fc.array(event, { maxLength: 10 }), (events) => {
      let state = initialCallState(0);
      for (const one of events)
        state = reduce(state, { kind: 'call_event', at: 5, event: one as unknown as CallEvent });
      if (state.transcript.length > events.length) throw new Error('more lines than events');
    });
  });

  test('with any numbers are delivered once and in order, and few are kept', () => {
    const seq = fc.oneof(
      { weight: 8, arbitrary: fc.nat({ max: 12 }) },
      { weight: 1, arbitrary: fc.integer() },
    );
    fuzz(fc.array(fc.tuple(seq, fc.constantFrom(0, 500, 7_000)), { maxLength: 40 }), (items) => {
      const delivered: number[] = [];
      const buffer = new ReorderBuffer<number>(
        (one) => delivered.push(one),
        () => {},
      );
      let now = 0;
      for (const [number, ms] of items) {
        now += ms;
        buffer.add(number, number);
        buffer.tick(now);
      }
      if (delivered.some((one, i) => i > 0 && one <= (delivered[i - 1] as number)))
        throw new Error(`${delivered}`);
    });
  });
});

describe('what is logged', () => {
  test('has no number of a telephone in the name of a room, and nothing under lk.pii', () => {
    const line = brokenText(
      fc.dictionary(fc.constantFrom('lk.pii.text', 'call_id', 'msg'), nastyText),
    );
    fuzz(
      fc.tuple(nastyText, fc.stringMatching(/^\+[0-9]{7,15}$/), line),
      ([name, number, text]) => {
        if (maskPhoneNumbers(`call-_${number}_${name}`).includes(number))
          throw new Error('a number');
        redactPii(text);
        const whole = redactPii(
          JSON.stringify({ 'lk.pii.text': 'secret', room: { 'lk.pii.x': 'secret' } }),
        );
        if (whole.includes('secret')) throw new Error('a secret');
      },
    );
  });
});

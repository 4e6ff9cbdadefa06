// SPDX-License-Identifier: Apache-2.0
// What a client sends to the emulator, and what its user writes for it.

import { describe, test } from '@jest/globals';
import fc from 'fast-check';
import {
  checkFault,
  FAULT_KINDS,
  parseFault,
} from '../../packages/nova-sonic-emulator/src/faults.js';
import { networkConditions } from '../../packages/nova-sonic-emulator/src/network/network-conditions.js';
import { StreamError } from '../../packages/nova-sonic-emulator/src/protocol/errors.js';
import { InputValidator } from '../../packages/nova-sonic-emulator/src/protocol/input-validator.js';
import { findModel } from '../../packages/nova-sonic-emulator/src/protocol/models.js';
import { RULE_DEFAULTS } from '../../packages/nova-sonic-emulator/src/protocol/rule-settings.js';
import {
  checkScenario,
  ScenarioError,
} from '../../packages/nova-sonic-emulator/src/scenario/scenario-file.js';
import { PROMPT_START, SESSION_START } from '../packages/nova-sonic-emulator/support/raw-client.js';
import { fuzz } from '../support/properties.js';
import { jsonWith, nastyText } from './inputs.js';

const EVENTS = [
  'sessionStart',
  'promptStart',
  'contentStart',
  'textInput',
  'audioInput',
  'toolResult',
  'contentEnd',
  'promptEnd',
  'sessionEnd',
];
const any = jsonWith([
  ...EVENTS,
  'promptName',
  'contentName',
  'content',
  'type',
  'role',
  'interactive',
]);
const names = fc.record({
  promptName: fc.constantFrom('p', 'q'),
  contentName: fc.constantFrom('a', 'b'),
});
const body = fc.oneof(
  any,
  names,
  fc
    .tuple(
      names,
      fc.constantFrom('TEXT', 'AUDIO', 'TOOL'),
      fc.constantFrom('SYSTEM', 'USER', 'ASSISTANT', 'TOOL'),
      fc.boolean(),
    )
    .map(([both, type, role, interactive]): unknown => ({ ...both, type, role, interactive })),
  fc.tuple(names, nastyText).map(([both, content]): unknown => ({ ...both, content })),
);
const event = fc
  .tuple(fc.constantFrom(...EVENTS), body)
  .map(([name, value]): unknown => ({ event: { [name]: value } }));

/** Runs something that may refuse its input with one sentence. */
function refuses(run: () => unknown): void {
  try {
    run();
  } catch (error) {
    const { message } = error as Error;
    if (
      !(error instanceof Error) ||
      error instanceof TypeError ||
      error instanceof RangeError ||
      !message
    )
      throw error;
  }
}

describe('the emulator', () => {
  test.each([true, false])(
    'takes or refuses any sequence of events with the service’s words (strict: %s)',
    (strict) => {
      const model = findModel('amazon.nova-2-sonic-v1:0', false);
      fuzz(
        fc.tuple(fc.boolean(), fc.array(fc.oneof(event, any), { maxLength: 12 })),
        ([started, events]) => {
          const validator = new InputValidator(model, { ...RULE_DEFAULTS, strict }, () => true);
          const opening = [
            { event: { sessionStart: SESSION_START } },
            { event: { promptStart: PROMPT_START } },
          ];
          try {
            for (const one of [...(started ? opening : []), ...events]) validator.accept(one);
            validator.end();
          } catch (error) {
            if (!(error instanceof StreamError)) throw error;
          }
        },
      );
    },
  );

  test('takes a fault or says in a sentence what is wrong with it', () => {
    const flag = fc.oneof(
      nastyText,
      fc.tuple(fc.constantFrom(...FAULT_KINDS), nastyText).map(([kind, rest]) => `${kind}:${rest}`),
      fc
        .tuple(
          fc.constantFrom(...FAULT_KINDS),
          fc.constantFrom('after', 'times', 'code', '__proto__'),
          nastyText,
        )
        .map(([kind, name, value]) => `${kind}:${name}=${value}`),
    );
    fuzz(flag, (text) => refuses(() => parseFault(text)));
    fuzz(jsonWith(['kind', 'after', 'times', 'session', 'throttle']), (value) =>
      refuses(() => checkFault(value)),
    );
  });

  test('takes conditions of a network or says what is wrong', () => {
    fuzz(jsonWith(['latencyMs', 'jitterMs', 'bandwidthKbps']), (value) =>
      refuses(() => networkConditions(value)),
    );
  });

  test('takes a scenario or names the field', () => {
    const turn = jsonWith([
      'turns',
      'user',
      'reply',
      'tools',
      'name',
      'args',
      'steps',
      'say',
      'match',
      'on',
      'repeat',
    ]);
    const scenario = fc.oneof(turn, fc.record({ turns: fc.array(turn, { maxLength: 3 }) }));
    fuzz(scenario, (value) => {
      try {
        checkScenario(value);
      } catch (error) {
        if (!(error instanceof ScenarioError)) throw error;
      }
    });
  });
});

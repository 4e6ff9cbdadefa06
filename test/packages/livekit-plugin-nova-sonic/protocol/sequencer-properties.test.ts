// SPDX-License-Identifier: Apache-2.0
// The order of events on one stream, whatever the session does and whenever.
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ClientEventSequencer } from '../../../../packages/livekit-plugin-nova-sonic/src/protocol/client-event-sequencer.js';
import {
  type ClientEvent,
  clientEventName,
} from '../../../../packages/livekit-plugin-nova-sonic/src/protocol/client-events.js';
import { InputValidator } from '../../../../packages/nova-sonic-emulator/src/protocol/input-validator.js';
import { findModel } from '../../../../packages/nova-sonic-emulator/src/protocol/models.js';
import { RULE_DEFAULTS } from '../../../../packages/nova-sonic-emulator/src/protocol/rule-settings.js';
import { holds } from '../../../support/properties.js';
import { SESSION_CONFIG } from '../support/session-config.js';

type Act = (sequencer: ClientEventSequencer) => ClientEvent[];
const words = fc.string({ maxLength: 20 }).map((text) => `say ${text}`);
const use = fc.constantFrom('use-1', 'use-2');

/** Anything that a session may do to its stream. */
const acts: fc.Arbitrary<Act> = fc.oneof(
  fc.array(words, { maxLength: 3 }).map(
    (texts): Act =>
      (s) =>
        s.opening(
          'Be brief.',
          texts.map((one, i) => ({ role: i % 2 ? 'ASSISTANT' : 'USER', parts: [one] })),
        ),
  ),
  fc.integer({ min: 1, max: 50 }).map(
    (n): Act =>
      (s) =>
        s.audio(new Uint8Array(2 * n)),
  ),
  fc.constant<Act>((s) => s.silence(100)),
  fc.array(words, { minLength: 1, maxLength: 3 }).map(
    (parts): Act =>
      (s) =>
        s.text(parts),
  ),
  use.map(
    (id): Act =>
      (s) => {
        s.toolUsed(id);
        return [];
      },
  ),
  use.map(
    (id): Act =>
      (s) =>
        s.toolResult(id, '{}'),
  ),
  fc.constant<Act>((s) => s.closing()),
);

describe('ClientEventSequencer', () => {
  test('writes only what the service takes, in any order of what is asked of it', () => {
    holds(
      fc.property(fc.array(acts, { maxLength: 40 }), (list) => {
        const sequencer = new ClientEventSequencer(SESSION_CONFIG);
        const events = list.flatMap((act) => act(sequencer));
        const names = events.map(clientEventName);
        // Opened at most once and before everything else, closed at most once and after everything else.
        if (names.length > 0) expect(names.slice(0, 2)).toEqual(['sessionStart', 'promptStart']);
        expect(names.filter((name) => name === 'sessionStart').length).toBeLessThanOrEqual(1);
        const end = names.indexOf('sessionEnd');
        if (end >= 0) {
          expect(end).toBe(names.length - 1);
          expect(names.slice(-3)).toEqual(['contentEnd', 'promptEnd', 'sessionEnd']);
        }
        // The emulator's rules, which are the service's.
        const refused: unknown[] = [];
        const model = findModel('amazon.nova-2-sonic-v1:0', false);
        const validator = new InputValidator(model, RULE_DEFAULTS, () => true);
        for (const event of events) {
          try {
            validator.accept(event);
          } catch (error) {
            refused.push([clientEventName(event), (error as Error).message]);
          }
        }
        expect(refused).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });
});

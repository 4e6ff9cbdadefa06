// SPDX-License-Identifier: Apache-2.0
// Slots and protection, whatever LiveKit, ECS and the callers do and in whatever order.

import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { TaskProtection } from '../../../agent/src/ecs/task-protection.js';
import type { ProtectionResult } from '../../../agent/src/ecs/task-protection-endpoint.js';
import { CallSlots } from '../../../agent/src/worker/call-slots.js';
import { JobAdmission } from '../../../agent/src/worker/job-admission.js';
import { ManualClock, settle } from '../../support/manual-clock.js';
import { holdsAsync } from '../../support/properties.js';

const SLOTS = 3;
type Act =
  | { do: 'offer' | 'start' | 'end'; job: string }
  | { do: 'expire' | 'supersede' | 'resume' | 'drain' }
  | { do: 'pass'; ms: number }
  | { do: 'answer'; result: ProtectionResult };

const job = fc.constantFrom('a', 'b', 'c', 'd', 'e');
const acts: fc.Arbitrary<Act> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constantFrom('offer', 'start', 'end'), job }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('pass'), ms: fc.constantFrom(400, 5_000, 61_000) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('expire', 'supersede', 'resume') }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('answer'),
      result: fc.constantFrom<ProtectionResult>(
        { ok: true },
        { ok: false, reason: 'DEPLOYMENT_BLOCKED', rejected: true },
        { ok: false, reason: 'timeout', rejected: false },
      ),
    }),
  },
) as fc.Arbitrary<Act>;

describe('admission', () => {
  it('never has more calls than slots, loses none, and keeps protection as long as there is one', async () => {
    await holdsAsync(
      fc.asyncProperty(fc.array(acts, { maxLength: 30 }), async (list) => {
        const clock = new ManualClock();
        /** What ECS was asked and has not answered. */
        const asked: { enabled: boolean; answer: (result: ProtectionResult) => void }[] = [];
        /** Whether the task is protected, or may be. */
        let isProtected = false;
        const answer = (result: ProtectionResult) => {
          const request = asked.shift();
          // After a timeout nobody knows: the worst for what is asserted.
          if (request && (result.ok || !result.rejected))
            isProtected = request.enabled || !result.ok;
          request?.answer(result);
        };
        const protection = new TaskProtection(
          {
            setProtection: (enabled) =>
              new Promise((resolve) => asked.push({ enabled, answer: resolve })),
          },
          clock,
          { random: () => 0.5, longestCallMs: 3_600_000 },
        );
        const slots = new CallSlots(SLOTS);
        const full: boolean[] = [];
        const admission = new JobAdmission(slots, protection, clock, {
          onFullChanged: (now) => full.push(now),
        });
        /** What the task has promised: accepted or running, and not ended. */
        const held = new Set<string>();
        const answers: Promise<void>[] = [];
        for (const act of list) {
          switch (act.do) {
            case 'offer':
              // LiveKit offers a job once.
              if (held.has(act.job)) break;
              answers.push(
                admission.admit(act.job).then((taken) => {
                  if (!taken) held.delete(act.job);
                }),
              );
              if (slots.used > held.size) held.add(act.job);
              break;
            case 'start':
              if (!held.has(act.job)) break;
              admission.start(act.job);
              break;
            case 'end':
              admission.release(act.job);
              held.delete(act.job);
              break;
            case 'expire':
              for (const lost of admission.expire(20_000)) held.delete(lost);
              break;
            case 'supersede':
              admission.standing = 'superseded';
              break;
            case 'resume':
              admission.standing = 'current';
              break;
            case 'pass':
              await clock.pass(act.ms);
              break;
            case 'answer':
              answer(act.result);
              break;
            default:
              break;
          }
          await settle();
          expect(slots.used).toBeLessThanOrEqual(SLOTS);
          expect(slots.used).toBe(held.size);
          // Two requests at once could reach ECS in either order.
          expect(asked.length).toBeLessThanOrEqual(1);
        }
        // Full and open take turns.
        expect(full.every((now, i) => i === 0 || now !== full[i - 1])).toBe(true);
        for (const one of ['a', 'b', 'c', 'd', 'e']) admission.release(one);
        // ECS answers from now on: what was held is let go, and asked for no more.
        for (let i = 0; i < 20; i += 1) {
          answer({ ok: true });
          await clock.pass(60_000);
        }
        expect(slots.used).toBe(0);
        expect(protection.confirmed).toBe(false);
        expect(isProtected).toBe(false);
        await Promise.all(answers);
        expect(clock.pending).toBe(0);
      }),
      { numRuns: 60 },
    );
  });
});

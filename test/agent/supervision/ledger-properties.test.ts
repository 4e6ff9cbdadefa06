// SPDX-License-Identifier: Apache-2.0
// The sums of a call: each token is counted once and paid once, in whatever pieces it was reported.

import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { applyReport, newCallRecord } from '../../../agent/src/supervision/call-record.js';
import type { CallReport } from '../../../agent/src/supervision/supervisor-messages.js';
import { tokenCostUsd } from '../../../packages/livekit-plugin-nova-sonic/src/protocol/models.js';
import type { TokenUsage } from '../../../packages/livekit-plugin-nova-sonic/src/protocol/server-events.js';
import { AgentTurnTracker } from '../../../packages/livekit-plugin-nova-sonic/src/turns/agent-turn.js';
import type { Effect } from '../../../packages/livekit-plugin-nova-sonic/src/turns/effects.js';
import { holds } from '../../support/properties.js';

const PRICES = { audioIn: 3, audioOut: 12, textIn: 0.33, textOut: 2.75 };
const count = fc.nat({ max: 100_000 });
const usage: fc.Arbitrary<TokenUsage> = fc.record({
  inputAudio: count,
  inputText: count,
  outputAudio: count,
  outputText: count,
});
const KEYS = ['inputAudio', 'inputText', 'outputAudio', 'outputText'] as const;
const add = (list: readonly TokenUsage[]) =>
  KEYS.map((key) => list.reduce((sum, one) => sum + one[key], 0));

describe('the ledger', () => {
  it('of the replies has every token that the service reported, once', () => {
    const acts = fc.array(fc.oneof(usage, fc.constantFrom<'begin' | 'close'>('begin', 'close')), {
      maxLength: 60,
    });
    holds(
      fc.property(acts, (list) => {
        const effects: Effect[] = [];
        let ids = 0;
        const agent = new AgentTurnTracker(
          (p) => `${p}${++ids}`,
          24_000,
          (e) => effects.push(e),
        );
        const asked = { requestedAt: 0, toolWaitMs: 0 };
        const reported: TokenUsage[] = [];
        for (const act of list) {
          if (act === 'begin') {
            if (!agent.open) agent.begin(0, asked, undefined);
          } else if (act === 'close') agent.close('end_turn', 1);
          else {
            agent.addUsage(act);
            reported.push(act);
          }
        }
        const counted = effects.flatMap((effect) =>
          effect.type === 'generation_closed' ? [effect.response.tokens] : [],
        );
        expect(add([...counted, agent.takeTokens()])).toEqual(add(reported));
        expect(add([agent.takeTokens()])).toEqual([0, 0, 0, 0]);
      }),
    );
  });

  it('of a call costs what its tokens cost, in whatever pieces they came', () => {
    const kinds = {
      InputSpeechTokens: 'audioIn',
      OutputSpeechTokens: 'audioOut',
      InputTextTokens: 'textIn',
      OutputTextTokens: 'textOut',
    } as const;
    const report = fc.record({
      type: fc.constant('add' as const),
      job: fc.constant('j'),
      metric: fc.constantFrom(...(Object.keys(kinds) as (keyof typeof kinds)[]), 'Turns' as const),
      value: count,
    });
    holds(
      fc.property(fc.array(report, { maxLength: 50 }), (reports) => {
        const record = newCallRecord({ job: 'j', room: 'r', roomSid: 's', pid: 1 }, 0);
        for (const one of reports) applyReport(record, one as CallReport, PRICES);
        const sum = (metric: string) =>
          reports.reduce((all, one) => all + (one.metric === metric ? one.value : 0), 0);
        for (const metric of Object.keys(kinds))
          expect(record.sums[metric as keyof typeof kinds] ?? 0).toBe(sum(metric));
        const tokens = Object.fromEntries(
          Object.entries(kinds).map(([metric, kind]) => [kind, sum(metric)]),
        );
        expect(record.costUsd).toBeCloseTo(tokenCostUsd(tokens, PRICES), 8);
      }),
    );
  });

  it('keeps the first reason of the end, whatever follows', () => {
    const reasons = fc.array(fc.constantFrom('closed', 'no_caller', 'failed'), { minLength: 1 });
    holds(
      fc.property(reasons, (list) => {
        const record = newCallRecord({ job: 'j', room: 'r', roomSid: 's', pid: 1 }, 0);
        for (const reason of list) applyReport(record, { type: 'ended', job: 'j', reason }, PRICES);
        expect(record).toMatchObject({ endReason: list[0], ended: true, failed: false });
      }),
    );
  });
});

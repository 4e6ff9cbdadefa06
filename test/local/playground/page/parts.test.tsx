// SPDX-License-Identifier: Apache-2.0
// What the panels show of a call, as HTML without a browser.

import { describe, expect, it } from '@jest/globals';
import { renderToStaticMarkup } from 'react-dom/server';
import { LatencyPanel } from '../../../../local/playground/page/parts/latency-panel.js';
import { TimelinePanel } from '../../../../local/playground/page/parts/timeline-panel.js';
import type { CallState } from '../../../../local/playground/state/call-state.js';
import { initialCallState } from '../../../../local/playground/state/call-state.js';

const call = (more: Partial<CallState> = {}): CallState => ({
  ...initialCallState(1_000),
  answeredAt: 1_000,
  endedAt: 11_000,
  ...more,
});
const agent = {
  model: 'amazon.nova-2-sonic-v1:0',
  voice: 'tiffany',
  regions: ['us-east-1', 'us-west-2'],
  publishesBedrockEvents: true,
  prices: { audioIn: 3, audioOut: 12, textIn: 0.33, textOut: 2.75 },
};
/** The text of a part of the page, its elements separated by spaces. */
const text = (html: string) =>
  html
    .replace(/<[^>]+>/g, ' ')
    .replace(/\s+/g, ' ')
    .trim();

describe('LatencyPanel', () => {
  const render = (state?: CallState) => text(renderToStaticMarkup(<LatencyPanel call={state} />));

  it('shows the tokens of each kind beside its name, and what they cost', () => {
    const tokens = { audioIn: 1_001, audioOut: 202, textIn: 30_003, textOut: 4_000_004 };
    // 3 * 1001 + 12 * 202 + 0.33 * 30003 + 2.75 * 4000004 millionths.
    expect(render(call({ tokens, agent }))).toContain(
      'Speech in 1,001 Speech out 202 Text in 30,003 Text out 4,000,004 Cost $11.02',
    );
  });

  it('shows no cost before the agent has told its prices', () => {
    expect(render(call())).toContain('Cost –');
    expect(render()).toContain('Speech in 0 Speech out 0 Text in 0 Text out 0 Cost –');
  });

  it('shows which model answers, where', () => {
    expect(render(call({ agent }))).toContain(
      'amazon.nova-2-sonic-v1:0 voice tiffany, us-east-1, then us-west-2',
    );
  });

  it('shows each part of a reply in its column, and what is unknown as a dash', () => {
    const turn = {
      type: 'turn' as const,
      at: 5_000,
      responseId: 'r1',
      userSpeechEndedAt: 2_000,
      firstAudioReceivedAt: 3_300,
      firstAudioAt: 3_320,
      interrupted: false,
      toolWaitMs: 500,
      audioMs: 100,
    };
    const replies = {
      turns: [turn, { ...turn, responseId: 'r2', firstAudioAt: 9_000, interrupted: true }],
      bargeIns: [4_000],
      sounds: [{ from: 3_400, to: 4_150 }],
    };
    const shown = render(call({ replies: replies as CallState['replies'] }));
    expect(shown).toContain('Reply Model Tools Agent Network Total 1 800 500 20 80 1,400 2 ✕');
    expect(shown).toContain('interrupted 800 500 5,700 – 7,000');
    expect(shown).toContain('Barge-in to silence 150 ms');
  });
});

describe('TimelinePanel', () => {
  const render = (state?: CallState) =>
    renderToStaticMarkup(<TimelinePanel call={state} running={false} />);

  it('lists what happened, with the time since the call was answered', () => {
    const marks = [
      { id: 0, at: 3_500, kind: 'tool' as const, text: 'weather' },
      { id: 1, at: 66_000, kind: 'barge_in' as const, text: 'barge-in' },
    ];
    const html = render(call({ endedAt: 70_000, timeline: { spans: [], marks } }));
    expect([...html.matchAll(/<li>([^<]+)<\/li>/g)].map(([, item]) => item)).toEqual([
      '0:02 weather',
      '1:05 barge-in',
    ]);
  });

  it('draws who spoke, when and for how long, each in their lane', () => {
    const spans = [
      { who: 'you' as const, from: 2_000, to: 3_000 },
      { who: 'agent' as const, from: 4_000 },
    ];
    const html = render(call({ endedAt: 6_000, timeline: { spans, marks: [] } }));
    const bars = [...html.matchAll(/<rect class="bar (\w+)" x="(\d+)" y="(\d+)" width="(\d+)"/g)];
    // 26 pixels a second; who still speaks does so until the end.
    expect(bars.map(([, ...bar]) => bar)).toEqual([
      ['you', '26', '26', '26'],
      ['agent', '78', '50', '52'],
    ]);
  });
});

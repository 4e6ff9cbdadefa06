// SPDX-License-Identifier: Apache-2.0

import { tokenCostUsd } from 'livekit-plugin-nova-sonic/models';
import type { CallState } from '../../state/call-state.js';
import { formatUsd } from '../../state/format-usd.js';
import { bargeInSilences, type ReplyLatency, replyLatencies } from '../../state/reply-latency.js';
import { formatCount, formatMs } from '../format.js';
import { ScrollRegion } from './scroll-region.js';

/** The latency of each reply, by part, and the cost of the call. */
export function LatencyPanel({ call }: { call: CallState | undefined }) {
  const rows = call ? replyLatencies(call.replies, call.clockOffset) : [];
  const silences = call ? bargeInSilences(call.replies) : [];
  return (
    <aside className="latency-panel" aria-label="Latency and cost">
      <section aria-labelledby="turns">
        <h2 id="turns">End of your speech to first sound, in ms</h2>
        <ScrollRegion className="scroll" label="Replies">
          <table data-testid="turns">
            <thead>
              <tr>
                <th scope="col">Reply</th>
                <th scope="col" title="Until the model's first audio reached the agent">
                  Model
                </th>
                <th scope="col" title="Time spent in tools">
                  Tools
                </th>
                <th scope="col" title="Until the agent handed it to LiveKit">
                  Agent
                </th>
                <th scope="col" title="Until this page played it">
                  Network
                </th>
                <th scope="col">Total</th>
              </tr>
            </thead>
            <tbody>
              {rows.map((row, i) => (
                <Reply key={row.id} row={row} number={i + 1} />
              ))}
              {rows.length === 0 && (
                <tr className="none">
                  <td colSpan={6}>No replies yet</td>
                </tr>
              )}
            </tbody>
          </table>
        </ScrollRegion>
        <dl className="line">
          <dt>Barge-in to silence</dt>
          <dd data-testid="silences">
            {silences.length ? silences.map(formatMs).join(', ') : '–'}
          </dd>
        </dl>
      </section>
      <Cost call={call} />
    </aside>
  );
}

function Reply({ row, number }: { row: ReplyLatency; number: number }) {
  return (
    <tr data-reply={row.id}>
      <th scope="row">
        {number}
        {row.interrupted && (
          <span className="cut" title="interrupted">
            <span aria-hidden="true"> ✕</span>
            <span className="sr-only"> interrupted</span>
          </span>
        )}
      </th>
      <td>{msCell(row.model)}</td>
      <td>{msCell(row.tools)}</td>
      <td>{msCell(row.agent)}</td>
      <td>{msCell(row.network)}</td>
      <td className="total">{msCell(row.total)}</td>
    </tr>
  );
}

/** A number without its unit, which is in the heading. */
function msCell(ms: number | undefined): string {
  return ms === undefined ? '–' : formatCount(Math.round(ms));
}

const kinds = [
  ['audioIn', 'Speech in'],
  ['audioOut', 'Speech out'],
  ['textIn', 'Text in'],
  ['textOut', 'Text out'],
] as const;

function Cost({ call }: { call: CallState | undefined }) {
  const tokens = call?.tokens;
  const agent = call?.agent;
  return (
    <section aria-labelledby="cost">
      <h2 id="cost">Tokens and cost so far</h2>
      <dl className="tokens">
        {kinds.map(([kind, name]) => (
          <div key={kind}>
            <dt>{name}</dt>
            <dd>{formatCount(tokens?.[kind] ?? 0)}</dd>
          </div>
        ))}
        <div className="sum">
          <dt>Cost</dt>
          <dd data-testid="cost">
            {tokens && agent ? formatUsd(tokenCostUsd(tokens, agent.prices)) : '–'}
          </dd>
        </div>
      </dl>
      <p className="model">
        {agent && (
          <>
            {agent.model}
            <br />
            {agent.voice ? `voice ${agent.voice}` : 'default voice'},{' '}
            {agent.regions.join(', then ')}
          </>
        )}
      </p>
    </section>
  );
}

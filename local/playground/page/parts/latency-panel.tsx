// SPDX-License-Identifier: Apache-2.0

import type { CallRecord } from '../../state/call-state.js';
import { cost, dollars } from '../../state/cost.js';
import { figures, type Figures as Row, silences } from '../../state/replies.js';
import { count, milliseconds } from '../format.js';
import { ScrollRegion } from './scroll-region.js';

/** How long each reply took and where the time went, and what the call has cost. */
export function Figures({ record }: { record: CallRecord | undefined }) {
  const rows = record ? figures(record.replies, record.clock) : [];
  const quiet = record ? silences(record.replies) : [];
  return (
    <aside className="figures" aria-label="Figures">
      <section aria-labelledby="turns">
        <h2 id="turns">End of your speech to first sound, in ms</h2>
        <ScrollRegion className="scroll" label="Replies">
          <table data-testid="turns">
            <thead>
              <tr>
                <th scope="col">Reply</th>
                <th scope="col" title="Until the model's first sound reached the agent">
                  Model
                </th>
                <th scope="col" title="How long tools took meanwhile">
                  Tools
                </th>
                <th scope="col" title="Until the agent gave it to LiveKit">
                  Agent
                </th>
                <th scope="col" title="Until it was heard here">
                  Way
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
                  <td colSpan={6}>No reply yet</td>
                </tr>
              )}
            </tbody>
          </table>
        </ScrollRegion>
        <dl className="line">
          <dt>Barge-in to silence</dt>
          <dd data-testid="silences">{quiet.length ? quiet.map(milliseconds).join(', ') : '–'}</dd>
        </dl>
      </section>
      <Cost record={record} />
    </aside>
  );
}

function Reply({ row, number }: { row: Row; number: number }) {
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
      <td>{figure(row.model)}</td>
      <td>{figure(row.tools)}</td>
      <td>{figure(row.agent)}</td>
      <td>{figure(row.way)}</td>
      <td className="total">{figure(row.total)}</td>
    </tr>
  );
}

/** A figure in ms; the heading has the unit. */
function figure(ms: number | undefined): string {
  return ms === undefined ? '–' : count(Math.round(ms));
}

const kinds = [
  ['audioIn', 'Speech in'],
  ['audioOut', 'Speech out'],
  ['textIn', 'Text in'],
  ['textOut', 'Text out'],
] as const;

function Cost({ record }: { record: CallRecord | undefined }) {
  const tokens = record?.tokens;
  const prices = record?.about?.prices;
  return (
    <section aria-labelledby="cost">
      <h2 id="cost">Tokens and cost so far</h2>
      <dl className="tokens">
        {kinds.map(([kind, name]) => (
          <div key={kind}>
            <dt>{name}</dt>
            <dd>{count(tokens?.[kind] ?? 0)}</dd>
          </div>
        ))}
        <div className="sum">
          <dt>Cost</dt>
          <dd data-testid="cost">{tokens && prices ? dollars(cost(tokens, prices)) : '–'}</dd>
        </div>
      </dl>
      <p className="model">
        {record?.about && (
          <>
            {record.about.model}
            <br />
            {record.about.voice ? `voice ${record.about.voice}` : 'default voice'},{' '}
            {record.about.regions.join(', then ')}
          </>
        )}
      </p>
    </section>
  );
}

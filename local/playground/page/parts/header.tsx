// SPDX-License-Identifier: Apache-2.0

import { formatClock } from '../format.js';
import type { PageState } from '../page-state.js';
import { useNow } from './use-current-time.js';

export function Header({ state: { target, call, inCall } }: { state: PageState }) {
  return (
    <header className="header">
      <h1>
        <img src="/icon.svg" alt="" width="28" height="28" />
        Talk to the agent
      </h1>
      <p className="target">
        {target ? (
          <>
            <span className={`kind ${target.kind}`}>{kinds[target.kind]}</span>
            <span className="where">{target.name}</span>
          </>
        ) : (
          ' '
        )}
      </p>
      <CallClock
        from={call?.answeredAt}
        to={call?.endedAt}
        running={inCall && call?.answeredAt !== undefined}
      />
    </header>
  );
}

const kinds = { emulator: 'local', bedrock: 'Bedrock', stack: 'deployed' };

function CallClock(props: { from?: number; to?: number; running: boolean }) {
  const { from, to, running } = props;
  const now = useNow(running);
  return (
    <p className="clock" role="timer" aria-live="off" aria-label="Duration of the call">
      {from === undefined ? '0:00' : formatClock((to ?? now) - from)}
    </p>
  );
}

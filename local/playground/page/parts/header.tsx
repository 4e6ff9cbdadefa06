// SPDX-License-Identifier: Apache-2.0

import { clock } from '../format.js';
import type { PhoneState } from '../state.js';
import { useNow } from './use-now.js';

export function Header({ state: { target, record, inCall } }: { state: PhoneState }) {
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
        from={record?.answeredAt}
        to={record?.endedAt}
        running={inCall && record?.answeredAt !== undefined}
      />
    </header>
  );
}

const kinds = { emulator: 'local', bedrock: 'Bedrock', stack: 'deployed' };

function CallClock(props: { from?: number; to?: number; running: boolean }) {
  const { from, to, running } = props;
  const now = useNow(running);
  return (
    <p className="clock" role="timer" aria-live="off" aria-label="Length of the call">
      {from === undefined ? '0:00' : clock((to ?? now) - from)}
    </p>
  );
}

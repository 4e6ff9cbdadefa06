// SPDX-License-Identifier: Apache-2.0

import type { Problem } from '../problems.js';
import { settle } from '../state.js';
import { Icon } from './icon.js';

/** What is wrong and what to do: below what was said, which gives it room, so that nothing moves and nothing is covered. */
export function Problems({ problems }: { problems: Problem[] }) {
  return (
    // The region is there from the start: a screen reader follows only what it knew before.
    <div className="problems" role="alert" aria-live="assertive" aria-atomic="false">
      {problems.map(({ id, tone, title, advice, action }) => (
        <div key={id} className={`problem ${tone}`} data-problem={id}>
          <div>
            <strong>{title}</strong>
            <p>{advice}</p>
          </div>
          {action && (
            <button type="button" className="small" onClick={action.run}>
              {action.label}
            </button>
          )}
          <button
            type="button"
            className="dismiss"
            aria-label={`Dismiss: ${title}`}
            onClick={() => settle(id)}
          >
            <Icon name="dismiss" />
          </button>
        </div>
      ))}
    </div>
  );
}

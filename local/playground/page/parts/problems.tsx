// SPDX-License-Identifier: Apache-2.0

import { dismiss } from '../phone.js';
import type { Problem } from '../problems.js';

/** What is wrong and what to do, over the conversation, so that nothing moves when it appears. */
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
          <div className="buttons">
            {action && (
              <button type="button" className="small" onClick={action.run}>
                {action.label}
              </button>
            )}
            <button
              type="button"
              className="small quiet"
              aria-label={`Dismiss: ${title}`}
              onClick={() => dismiss(id)}
            >
              Dismiss
            </button>
          </div>
        </div>
      ))}
    </div>
  );
}

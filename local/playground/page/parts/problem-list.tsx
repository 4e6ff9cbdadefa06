// SPDX-License-Identifier: Apache-2.0

import { clearProblem } from '../page-state.js';
import type { Problem } from '../problems.js';
import { Icon } from './icon.js';

/** The problems, between the transcript, which makes room for them, and the field to type in: nothing is covered. */
export function ProblemList({ problems }: { problems: Problem[] }) {
  return (
    // The region exists from the start: screen readers announce changes only in regions they know.
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
            onClick={() => clearProblem(id)}
          >
            <Icon name="dismiss" />
          </button>
        </div>
      ))}
    </div>
  );
}

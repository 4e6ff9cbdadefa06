// SPDX-License-Identifier: Apache-2.0
import type { Clock } from '../clock.js';
import type { EventLog } from '../event-log.js';
import type { HttpError, StreamError } from '../protocol/errors.js';
import type { RuleWarning } from '../protocol/rule-settings.js';
import { citation, protocolRule } from '../protocol/rules.js';

/** What one session writes into the event log, by the time since it began. */
export class SessionLog {
  private readonly startedAt: number;

  constructor(
    private readonly id: string,
    private readonly clock: Clock,
    private readonly events: EventLog,
    private readonly print: (line: string) => void,
  ) {
    this.startedAt = clock.now();
  }

  event(direction: 'in' | 'out' | 'note', name: string, body: Record<string, unknown>): void {
    this.events.add(this.id, this.clock.now() - this.startedAt, direction, name, body);
  }

  note(name: string, detail: Record<string, unknown> = {}): void {
    if (name === 'warning') this.print(`session ${this.id}: warning: ${detail.text}`);
    this.event('note', name, detail);
  }

  /** A rule was broken, and the client is refused. */
  violation({ type, message, why, rule }: StreamError | HttpError): void {
    const known = rule && { rule, evidence: protocolRule(rule).evidence };
    this.note('violation', { type, message, why, ...known });
  }

  /** A rule was broken, and nothing happens to the client. */
  warning({ rule, why, event }: RuleWarning): void {
    const text = `${event}: ${why}; ${citation(rule)}`;
    this.note('warning', { text, rule, evidence: protocolRule(rule).evidence });
  }
}

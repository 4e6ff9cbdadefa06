// SPDX-License-Identifier: Apache-2.0
import { invalid } from './errors.js';
import { isRefused, type RuleName } from './rules.js';

/** How rules are applied, and rules whose value may change between the service's versions. */
export interface RuleSettings {
  /** Refuse also what is only inferred or guessed, or what clients that work do otherwise.  @default false: it warns */
  strict: boolean;
  /** UTF-8 bytes of one textInput of the history.  @default 51,200 (docs since 2026-06-22; 1,024 before) */
  historyTextBytes: number;
  /** UTF-8 bytes of the whole history.  @default 204,800 (docs since 2026-06-22; 40,960 before) */
  historyTotalBytes: number;
  /** Accept a tool's inputSchema.json as an object.  @default false: live reports say it is rejected */
  objectSchemas: boolean;
}

export const RULE_DEFAULTS: RuleSettings = {
  strict: false,
  historyTextBytes: 51_200,
  historyTotalBytes: 204_800,
  objectSchemas: false,
};

/** A rule that a client broke and that was not refused. */
export interface RuleWarning {
  rule: RuleName;
  /** What a developer should know. */
  why: string;
  /** The event's name. */
  event: string;
}

/** What becomes of a broken rule: refused with the service's own text, or warned of once for each kind of event. */
export class RuleEnforcement {
  /** The event that is being checked, by its name. */
  event = '';
  private readonly warned = new Set<string>();

  constructor(
    private readonly settings: RuleSettings,
    private readonly warn: (warning: RuleWarning) => void,
  ) {}

  /**
   * @param message what the service says
   * @param why what a developer should know
   * @throws StreamError when the rule is one of those that are refused
   */
  broken(rule: RuleName, message: string, why: string): void {
    if (isRefused(rule, this.settings.strict)) throw invalid(message, why, rule);
    const key = `${rule} ${this.event}`;
    if (this.warned.has(key)) return;
    this.warned.add(key);
    this.warn({ rule, why, event: this.event });
  }
}

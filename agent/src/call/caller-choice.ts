// SPDX-License-Identifier: Apache-2.0

/** What LiveKit says a participant is (`ParticipantKind`, in small letters). */
export type CallerKind =
  | 'standard'
  | 'ingress'
  | 'egress'
  | 'sip'
  | 'agent'
  | 'connector'
  | 'bridge';

/** What the choice of the caller needs to know about somebody in the room. */
export interface RoomParticipant {
  identity: string;
  /** LiveKit gives a new one at each join. */
  sid: string;
  kind: CallerKind;
  attributes: Readonly<Record<string, string>>;
  metadata: string;
  /** Whether the token allows a microphone. */
  mayPublishAudio: boolean;
  publishesAudio: boolean;
  /** Milliseconds since the epoch, by LiveKit's clock. */
  joinedAt: number;
}

/** A condition on an attribute, or on a key of metadata that is JSON. */
export interface AttributeCondition {
  key: string;
  /** Undefined: the key is there, whatever its value. */
  value?: string;
  /** The condition must not hold. */
  negated: boolean;
}

export interface CallerRules {
  /** Only participants that fulfil it can be the caller. */
  attribute?: AttributeCondition;
  /** Whom the agent hears when several people could be the caller: the first, or all of them mixed. */
  heard: 'first' | 'all';
}

/** Who the caller is now. */
export interface ChosenCallers {
  /** Identities; the first is the caller, others are heard as well. Empty: there is no caller. */
  identities: readonly string[];
  /** What happened, if the caller is another one, or is back. */
  change?: 'found' | 'returned' | 'replaced';
  /** There is no caller because the last one hung up. */
  hungUp?: boolean;
  /** When to decide again if nothing happens. */
  againInMs?: number;
}

/** Machines and helpers in a room. */
const NEVER_CALLERS: ReadonlySet<CallerKind> = new Set(['agent', 'egress', 'ingress', 'bridge']);
/** Set on participants that publish for an agent, like avatars. */
export const ON_BEHALF_ATTRIBUTE = 'lk.publish_on_behalf';
/** Somebody without audio may be about to publish it, or may only type, or watch. */
const AUDIO_WAIT_MS = 2_000;
/** LiveKit misses a lost participant after up to half a minute, in which it may have joined under a new identity. */
const LOST_OVERLAP_MS = 30_000;

/**
 * Decides who in a room is the caller: by what participants are, not by who came first. A telephone comes before
 * somebody with a microphone, and both before somebody without, of whom several wait for two seconds. The caller stays the
 * caller while in the room; one who never published audio makes room for one who does. A caller who has left is
 * replaced by the same identity, or by somebody who joined afterwards: those who were there all along are bystanders.
 */
export class CallerChoice {
  readonly #rules: CallerRules;
  #caller: { identity: string; sid: string; published: boolean } | undefined;
  #absent: { since: number; lost: boolean } | undefined;
  /** When each participant was first seen, by sid. */
  readonly #seenAt = new Map<string, number>();

  constructor(rules: CallerRules) {
    this.#rules = rules;
  }

  /** This identity was the caller before: it is again, as if it came back. */
  expect(identity: string): void {
    this.#caller = { identity, sid: '', published: true };
  }

  /** Someone left. @param lost without saying so: the connection was lost, or the server removed them */
  left(identity: string, lost: boolean, now: number): void {
    if (identity === this.#caller?.identity) this.#absent ??= { since: now, lost };
  }

  /** @param now milliseconds on a clock that never runs backwards */
  update(participants: readonly RoomParticipant[], now: number): ChosenCallers {
    this.#see(participants, now);
    const candidates = participants.filter((one) => mayBeCaller(one, this.#rules)).sort(byRank);
    const change = this.#choose(candidates, now);
    const identities = this.#identities(candidates);
    const waiting = candidates
      .filter(({ identity }) => !identities.includes(identity))
      .map((one) => this.#waitMs(one, candidates, now))
      .filter((ms) => ms > 0);
    return {
      identities,
      ...(change && { change }),
      ...(identities.length === 0 && this.#absent && !this.#absent.lost && { hungUp: true }),
      ...(waiting.length > 0 && { againInMs: Math.min(...waiting) }),
    };
  }

  #choose(candidates: RoomParticipant[], now: number): ChosenCallers['change'] {
    const caller = this.#caller;
    const ready = candidates.filter((one) => this.#waitMs(one, candidates, now) === 0);
    if (!caller) return this.#become(ready[0], 'found');

    const present = candidates.find(({ identity }) => identity === caller.identity);
    if (present) {
      const better = ready[0];
      if (!caller.published && better && rank(better) > rank(present))
        return this.#become(better, 'replaced');
      const returned = this.#absent !== undefined || present.sid !== caller.sid;
      this.#absent = undefined;
      caller.sid = present.sid;
      caller.published ||= present.publishesAudio;
      return returned ? 'returned' : undefined;
    }

    this.#absent ??= { since: now, lost: true };
    const { since, lost } = this.#absent;
    const from = since - (lost ? LOST_OVERLAP_MS : 0);
    const successor = ready.find(
      ({ sid }) => this.#rules.heard === 'all' || (this.#seenAt.get(sid) ?? now) > from,
    );
    return this.#become(successor, 'replaced');
  }

  #become(
    next: RoomParticipant | undefined,
    change: 'found' | 'replaced',
  ): ChosenCallers['change'] {
    if (!next) return undefined;
    this.#caller = { identity: next.identity, sid: next.sid, published: next.publishesAudio };
    this.#absent = undefined;
    return change;
  }

  #identities(candidates: RoomParticipant[]): string[] {
    const caller = this.#caller;
    if (!caller || this.#absent) return [];
    if (this.#rules.heard === 'first') return [caller.identity];
    const others = candidates.filter(
      (one) => one.identity !== caller.identity && rank(one) > RANK_SILENT,
    );
    return [caller.identity, ...others.map(({ identity }) => identity)];
  }

  /** How long somebody who publishes no audio is not yet taken: not at all when there is nobody else. */
  #waitMs(one: RoomParticipant, { length }: RoomParticipant[], now: number): number {
    if (rank(one) > RANK_SILENT || length === 1) return 0;
    return Math.max(0, (this.#seenAt.get(one.sid) ?? now) + AUDIO_WAIT_MS - now);
  }

  #see(participants: readonly RoomParticipant[], now: number): void {
    const present = new Set(participants.map(({ sid }) => sid));
    for (const sid of this.#seenAt.keys()) if (!present.has(sid)) this.#seenAt.delete(sid);
    for (const sid of present) if (!this.#seenAt.has(sid)) this.#seenAt.set(sid, now);
  }
}

const RANK_SILENT = 0;

function rank({ kind, publishesAudio }: RoomParticipant): number {
  if (kind === 'sip' || kind === 'connector') return 2;
  return publishesAudio ? 1 : RANK_SILENT;
}

const byRank = (a: RoomParticipant, b: RoomParticipant): number =>
  rank(b) - rank(a) || a.joinedAt - b.joinedAt;

/** Whether a participant is somebody whom an agent may serve. */
export function mayBeCaller(
  one: Pick<RoomParticipant, 'kind' | 'attributes' | 'metadata' | 'mayPublishAudio'>,
  { attribute }: CallerRules,
): boolean {
  if (NEVER_CALLERS.has(one.kind) || !one.mayPublishAudio) return false;
  if (one.attributes[ON_BEHALF_ATTRIBUTE]) return false;
  return !attribute || fulfils(one, attribute);
}

function fulfils(
  one: Pick<RoomParticipant, 'attributes' | 'metadata'>,
  { key, value, negated }: AttributeCondition,
): boolean {
  const actual = one.attributes[key] ?? metadataValue(one.metadata, key);
  const holds = value === undefined ? actual !== undefined : actual === value;
  return holds !== negated;
}

function metadataValue(metadata: string, key: string): string | undefined {
  try {
    const value = (JSON.parse(metadata) as Record<string, unknown> | null)?.[key];
    return value === undefined || value === null ? undefined : String(value);
  } catch {
    return undefined;
  }
}

/** Parses `key`, `key=value` or `key!=value`; undefined when it is none of them. */
export function parseAttributeCondition(text: string): AttributeCondition | undefined {
  const match = /^([^\s=!]+)(?:(!?=)(.*))?$/.exec(text.trim());
  if (!match?.[1]) return undefined;
  const [, key, operator, value] = match;
  return {
    key,
    ...(operator && { value: value?.trim() ?? '' }),
    negated: operator === '!=',
  };
}

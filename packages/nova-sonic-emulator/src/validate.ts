// SPDX-License-Identifier: Apache-2.0
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { StreamError } from './protocol/errors.js';
import { isObject } from './protocol/events.js';
import { InputValidator } from './protocol/input-validator.js';
import { findModel } from './protocol/models.js';
import { RULE_DEFAULTS, type RuleSettings } from './protocol/rule-settings.js';
import { type Evidence, protocolRule, type RuleName } from './protocol/rules.js';

/** A mistake of a client, found in a recording. */
export interface Finding {
  /** Line of the recording, from 1. */
  line: number;
  /** The session's ID. */
  session: string;
  /** `error`: Bedrock ends the stream; `warning`: it does not, but the client violates the protocol. */
  severity: 'error' | 'warning';
  /** The event's name. */
  event: string;
  /** The service's message; warnings have none. */
  text?: string;
  /** What is wrong. */
  why: string;
  /** The rule that is broken, of those in docs/emulator.md. */
  rule?: RuleName;
  /** How the rule is known. */
  evidence?: Evidence;
}

/** The result of a validation. */
export interface RecordingReport {
  /** Sessions in the file. */
  sessions: number;
  /** Events from the client in the file. */
  events: number;
  /** What is wrong, in the order of the file. */
  findings: Finding[];
}

interface RecordingLine {
  session: string;
  direction: 'in' | 'out' | 'note';
  name: string;
  event: Record<string, unknown>;
}

/** Documented pace of audioInput: about 32 ms a frame. A second or more of audio in one event is not streaming. */
const MAX_FRAME_BYTES = 48_000;

/**
 * Checks a client's side of a recording (JSON lines, as `--record` writes them) against the protocol. Any client's
 * events will do: `direction`, `name` and `event` are all that is needed.
 *
 * @throws Error when the file cannot be read or a line is not JSON
 */
export async function validateRecording(
  path: string,
  rules: Partial<RuleSettings> = {},
): Promise<RecordingReport> {
  const sessions = new Map<string, SessionChecker>();
  const verdict: RecordingReport = { sessions: 0, events: 0, findings: [] };
  let number = 0;
  for await (const text of createInterface({ input: createReadStream(path) })) {
    number++;
    if (!text.trim()) continue;
    const line = parseLine(text, path, number);
    // A rejected request has a note but no session.
    if (line.name === 'refused') continue;
    let checker = sessions.get(line.session);
    if (!checker) {
      const report = (finding: Omit<Finding, 'session'>) =>
        verdict.findings.push({ ...finding, session: line.session });
      checker = new SessionChecker({ ...RULE_DEFAULTS, ...rules }, report);
      sessions.set(line.session, checker);
    }
    if (line.direction === 'in') verdict.events++;
    checker.take(line, number);
  }
  for (const checker of sessions.values()) checker.end(number);
  verdict.sessions = sessions.size;
  return verdict;
}

function parseLine(text: string, path: string, number: number): RecordingLine {
  let line: Partial<RecordingLine>;
  try {
    line = JSON.parse(text);
  } catch {
    throw new Error(`${path}:${number}: not a JSON line.`);
  }
  const { direction, name, event } = line;
  if (!['in', 'out', 'note'].includes(direction ?? '') || !name || typeof event !== 'object') {
    throw new Error(`${path}:${number}: a line has direction (in, out or note), name and event.`);
  }
  return { session: '', ...line } as RecordingLine;
}

/** Texts that a recording left out (`<12 characters>`), as something valid. */
function restored(name: string, event: Record<string, unknown>): Record<string, unknown> {
  const restore = (value: unknown, key: string): unknown => {
    if (Array.isArray(value)) return value.map((item) => restore(item, key));
    if (isObject(value)) {
      return Object.fromEntries(
        Object.entries(value).map(([inner, item]) => [inner, restore(item, inner)]),
      );
    }
    if (typeof value !== 'string' || !/^<\d+ characters>$/.test(value)) return value;
    if (key === 'json') return '{"type":"object"}';
    return name === 'toolResult' ? '{}' : 'left out';
  };
  return restore(event, '') as Record<string, unknown>;
}

/** Follows one session. */
class SessionChecker {
  private rules?: InputValidator;
  private line = 0;
  private event = '';
  private dead = false;
  private readonly calls = new Set<string>();
  private readonly seen = new Set<string>();

  constructor(
    private readonly settings: RuleSettings,
    private readonly report: (finding: Omit<Finding, 'session'>) => void,
  ) {}

  take({ direction, name, event }: RecordingLine, number: number): void {
    this.line = number;
    this.event = name;
    if (name === 'open' && direction === 'note') this.start(String(event.model));
    if (direction === 'out' && name === 'toolUse') this.calls.add(String(event.toolUseId));
    const refused = direction === 'note' && name === 'violation';
    if (refused && !this.dead) {
      // The rejected event is not in the recording: only the emulator saw it.
      this.dead = true;
      this.finding('error', String(event.why), event.rule as RuleName, String(event.message));
    }
    if (direction !== 'in' || this.dead) return;
    this.seen.add(name);
    this.check(name, event);
  }

  /** The recording is over. */
  end(line: number): void {
    if (this.dead) return;
    this.line = line;
    this.event = 'end';
    for (const closer of ['promptEnd', 'sessionEnd']) {
      if (this.seen.has('promptStart') && !this.seen.has(closer)) {
        const why = `${closer} was never sent: the session is left to time out`;
        this.finding('warning', why, 'prompt-closed');
      }
    }
    for (const id of this.calls) {
      this.finding('warning', `the tool call ${id} got no result: the model waits for it`);
    }
  }

  private start(model: string): void {
    this.rules = new InputValidator(
      findModel(model, true),
      this.settings,
      (id) => this.calls.delete(id),
      ({ why, rule }) => this.finding('warning', why, rule),
    );
  }

  private check(name: string, event: Record<string, unknown>): void {
    if (!this.rules) this.start('amazon.nova-2-sonic-v1:0');
    const body = restored(name, event);
    // The recording keeps the length of the audio, not the audio.
    const length = /^<(\d+) bytes>$/.exec(String(body.content))?.[1];
    if (name === 'audioInput' && length !== undefined) {
      body.content = Buffer.alloc(Number(length)).toString('base64');
      if (Number(length) > MAX_FRAME_BYTES) {
        this.finding('warning', `${length} bytes of audio in one event: about 32 ms are expected`);
      }
    }
    try {
      this.rules?.accept({ event: { [name]: body } });
    } catch (error) {
      if (!(error instanceof StreamError)) throw error;
      this.dead = true;
      this.finding('error', error.why, error.rule, error.message);
    }
  }

  private finding(
    severity: Finding['severity'],
    why: string,
    rule?: RuleName,
    text?: string,
  ): void {
    const evidence = rule && protocolRule(rule).evidence;
    this.report({ line: this.line, severity, event: this.event, why, text, rule, evidence });
  }
}

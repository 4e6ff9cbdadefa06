// SPDX-License-Identifier: Apache-2.0
import type { StreamException } from '../protocol/errors.js';

/** A tool call of the script. Strings in `args` may hold placeholders. */
export interface ScriptedCall {
  name: string;
  args: Record<string, unknown>;
}

/** What the emulator does in a turn, in order. */
export type ScriptStep =
  | { say: string }
  | { pauseMs: number }
  /** Calls tools; the steps that follow wait for all results of the turn, unless `wait` is false. */
  | { tools: ScriptedCall[]; wait?: boolean }
  /** Waits for the results of all tools of the turn. */
  | { results: 'all' }
  | { error: { type: StreamException; message: string } }
  /** Interrupts the reply this long after its first sound, as though the user had spoken. */
  | { interruptAfterMs: number };

/** One turn: what the user said or typed, and how it is answered. */
export interface ScriptTurn {
  kind: 'speech' | 'text';
  /** Typed text, or the transcripts sent so far. */
  user: string;
  /** Transcript of the nth stretch of speech of this turn (0 = first); speech in milliseconds. */
  transcript(window: number, speechMs: number): string;
  steps: readonly ScriptStep[];
  /** Locale that the reply is spoken in.  @default that of the session's voice */
  locale?: string;
}

/** Decides what is said: a scenario, or the default replies. One per session. */
export interface Script {
  /**
   * The turn for something that the user said (`text` undefined) or typed; undefined to pass it on. `history` has the
   * texts that opened the session, one line each.
   */
  take(kind: 'speech' | 'text', text?: string, history?: string): ScriptTurn | undefined;
}

/** The transcript of speech for which the script has none: the emulator cannot recognise words. */
export const placeholderTranscript = (speechMs: number): string =>
  `[${(speechMs / 1000).toFixed(1)} s of speech]`;

/** What placeholders may refer to. */
export interface PlaceholderValues {
  /** What the user said or typed in this turn. */
  user: string;
  /** Results by tool name; `tool` is the last one. */
  results: ReadonlyMap<string, unknown>;
}

/**
 * Replaces `{{user}}`, `{{tool.field}}` and `{{name_of_a_tool.field.inner}}`.
 *
 * @param missing returns the text for a tool or a field that does not exist
 */
export function fill(
  template: string,
  context: PlaceholderValues,
  missing: (path: string) => string,
): string {
  return template.replace(/\{\{\s*([^{}\s]+)\s*\}\}/g, (_, path: string) => {
    if (path === 'user') return context.user;
    const [name = '', ...fields] = path.split('.');
    let value: unknown = context.results.get(name);
    for (const field of fields) {
      const inner = value !== null && typeof value === 'object';
      value = inner ? (value as Record<string, unknown>)[field] : undefined;
    }
    if (value === undefined) return missing(path);
    return typeof value === 'string' ? value : JSON.stringify(value);
  });
}

/** Does the same for every string inside a value. */
export function fillAll<T>(
  value: T,
  context: PlaceholderValues,
  missing: (path: string) => string,
): T {
  if (typeof value === 'string') return fill(value, context, missing) as T;
  if (Array.isArray(value)) return value.map((item) => fillAll(item, context, missing)) as T;
  if (value !== null && typeof value === 'object') {
    return Object.fromEntries(
      Object.entries(value).map(([name, inner]) => [name, fillAll(inner, context, missing)]),
    ) as T;
  }
  return value;
}

/** Splits a reply into sentences, as the model generates it. */
export function sentences(text: string): string[] {
  return (text.match(/\S.*?(?:[.!?…]+["”')\]]*(?=\s|$)|[。！？]|$)/gs) ?? [])
    .map((sentence) => sentence.trim())
    .filter(Boolean);
}

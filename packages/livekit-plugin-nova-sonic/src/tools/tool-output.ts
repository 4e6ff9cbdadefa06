// SPDX-License-Identifier: Apache-2.0

const isPlainObject = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * A tool's output as the JSON object that the service demands: anything else ends the stream. Numbers, lists,
 * strings, null and text that is not JSON go under `result`, errors under `error`.
 */
export function toolResultContent(output: string, isError: boolean): string {
  if (isError) return JSON.stringify({ error: output || 'the tool failed' });
  let value: unknown;
  try {
    value = JSON.parse(output);
  } catch {
    value = output;
  }
  if (isPlainObject(value)) return JSON.stringify(value);
  return JSON.stringify({ result: value === '' ? 'done' : value });
}

/** Any value a tool may return, as text that can be sent; never throws. */
export function outputText(value: unknown): string {
  if (value === undefined) return '';
  if (value instanceof Error) return value.message;
  try {
    return (
      JSON.stringify(value, (_, v) => (typeof v === 'bigint' ? v.toString() : v)) ?? String(value)
    );
  } catch {
    return String(value);
  }
}

/** The result of a tool call. */
export interface ToolOutcome {
  readonly output: string;
  readonly isError: boolean;
}

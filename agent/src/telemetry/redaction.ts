// SPDX-License-Identifier: Apache-2.0

const MARK = '"lk.pii.';

/** Seven digits or more, with what people write between them. */
const NUMBER = /\+?\d(?:[-. ()]{0,2}\d){6,}/g;

/**
 * The name of a room as any log may show it. LiveKit names the rooms of telephone calls after the caller's number;
 * what looks like one is made unreadable, and the room is found by its sid.
 */
export function withoutNumbers(room: string): string {
  return room.replace(NUMBER, '***');
}

/**
 * Takes the `lk.pii.*` fields, which hold what people said and who they are, out of a log line. A line that is
 * not JSON cannot be judged and is passed on: the framework and we log in JSON only.
 */
export function withoutPii(text: string): string {
  if (!text.includes(MARK)) return text;
  return text
    .split('\n')
    .map((line) => (line.includes(MARK) ? clean(line) : line))
    .join('\n');
}

function clean(line: string): string {
  try {
    return JSON.stringify(
      JSON.parse(line, (key, value) => (key.startsWith('lk.pii.') ? undefined : value)),
    );
  } catch {
    return line;
  }
}

/**
 * Keeps `lk.pii.*` fields out of this process's standard output. The framework makes its own loggers, in each
 * job process too, and offers no place for a filter before the stream they all write to.
 */
export function keepPiiOut(stream: NodeJS.WriteStream = process.stdout): void {
  const write = stream.write.bind(stream) as (...args: unknown[]) => boolean;
  stream.write = ((chunk: unknown, ...rest: unknown[]) =>
    write(typeof chunk === 'string' ? withoutPii(chunk) : chunk, ...rest)) as typeof stream.write;
}

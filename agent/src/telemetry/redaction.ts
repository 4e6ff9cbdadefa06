// SPDX-License-Identifier: Apache-2.0

const PII_FIELD = '"lk.pii.';

/** Seven digits or more, with the usual separators. */
const PHONE_NUMBER = /\+?\d(?:[-. ()]{0,2}\d){6,}/g;

/**
 * Masks phone numbers in the name of a room, for logs: LiveKit names the rooms of telephone calls after the caller's
 * number. Find the room by its sid.
 */
export function maskPhoneNumbers(room: string): string {
  return room.replace(PHONE_NUMBER, '***');
}

/**
 * Removes the `lk.pii.*` fields, which hold what people said and who they are, from log lines. Lines that are not
 * JSON are not changed: the framework and we log in JSON only.
 */
export function redactPii(text: string): string {
  if (!text.includes(PII_FIELD)) return text;
  return text
    .split('\n')
    .map((line) => (line.includes(PII_FIELD) ? redactLine(line) : line))
    .join('\n');
}

function redactLine(line: string): string {
  try {
    return JSON.stringify(
      JSON.parse(line, (key, value) => (key.startsWith('lk.pii.') ? undefined : value)),
    );
  } catch {
    return line;
  }
}

/**
 * Removes `lk.pii.*` fields from this process's standard output. The framework creates its own loggers, in each
 * job process too, and offers no place for a filter before the stream that they all write to.
 */
export function installPiiRedaction(stream: NodeJS.WriteStream = process.stdout): void {
  const write = stream.write.bind(stream) as (...args: unknown[]) => boolean;
  stream.write = ((chunk: unknown, ...rest: unknown[]) =>
    write(typeof chunk === 'string' ? redactPii(chunk) : chunk, ...rest)) as typeof stream.write;
}

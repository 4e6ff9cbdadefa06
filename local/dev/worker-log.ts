// SPDX-License-Identifier: Apache-2.0

interface Entry {
  level?: number;
  msg?: string;
  error?: { message?: string } | string;
}

const WARNING = 40;
const ERROR = 50;

/**
 * Reduces the worker's log to what a developer should see: errors, each warning once, and lines that are not JSON.
 * @returns a function that turns a line of the log into a sentence, or undefined to hide it
 */
export function createWorkerLogFormatter(): (line: string) => string | undefined {
  const warned = new Set<string>();
  return (line) => {
    const entry = parseEntry(line);
    if (!entry) return line.trim() || undefined;
    const { level = 0, msg = '', error } = entry;
    if (level < WARNING) return undefined;
    if (level < ERROR && warned.has(msg)) return undefined;
    warned.add(msg);
    const why = typeof error === 'string' ? error : error?.message;
    return `the agent: ${why ? `${msg}: ${why}` : msg}`;
  };
}

function parseEntry(line: string): Entry | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

// SPDX-License-Identifier: Apache-2.0

interface Entry {
  level?: number;
  msg?: string;
  error?: { message?: string } | string;
}

const WARNING = 40;
const ERROR = 50;

/**
 * Puts the worker's log into words for whoever looks on: its errors, each of its warnings once, and what is no log
 * line at all.
 * @returns a function that gives the sentence for a line, or undefined when there is nothing to say
 */
export function workerLines(): (line: string) => string | undefined {
  const warned = new Set<string>();
  return (line) => {
    const entry = parsed(line);
    if (!entry) return line.trim() || undefined;
    const { level = 0, msg = '', error } = entry;
    if (level < WARNING) return undefined;
    if (level < ERROR && warned.has(msg)) return undefined;
    warned.add(msg);
    const why = typeof error === 'string' ? error : error?.message;
    return `the agent: ${why ? `${msg}: ${why}` : msg}`;
  };
}

function parsed(line: string): Entry | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

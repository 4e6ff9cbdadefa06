// SPDX-License-Identifier: Apache-2.0

/** Minutes and seconds, as a call's length is read: 1:05. */
export function clock(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

export function milliseconds(ms: number | undefined): string {
  if (ms === undefined) return '–';
  // Below 10 s the exact figure is what one compares with a log.
  return ms < 10_000 ? `${count(Math.round(ms))} ms` : `${(ms / 1000).toFixed(1)} s`;
}

export function bytes(size: number): string {
  return size < 1_000_000 ? `${Math.round(size / 1000)} kB` : `${(size / 1_000_000).toFixed(1)} MB`;
}

const whole = new Intl.NumberFormat('en');
export function count(n: number): string {
  return whole.format(n);
}

/** JSON as people read it; text that is not JSON as it is. */
export function pretty(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 1).replace(/\n\s*/g, ' ');
  } catch {
    return text;
  }
}

/** Hands a file to the user. */
export function download(name: string, content: Blob): void {
  const url = URL.createObjectURL(content);
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** A file name that sorts by time: call-2026-11-23T06-12-40. */
export function callName(startedAt: number): string {
  return `call-${new Date(startedAt).toISOString().slice(0, 19).replace(/:/g, '-')}`;
}

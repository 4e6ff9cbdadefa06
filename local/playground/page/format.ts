// SPDX-License-Identifier: Apache-2.0

/** Minutes and seconds: 1:05. */
export function formatClock(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

export function formatMs(ms: number | undefined): string {
  if (ms === undefined) return '–';
  // Exact below 10 s, to compare with a log.
  return ms < 10_000 ? `${formatCount(Math.round(ms))} ms` : `${(ms / 1000).toFixed(1)} s`;
}

const numbers = new Intl.NumberFormat('en');
export function formatCount(n: number): string {
  return numbers.format(n);
}

/** Spaces out JSON for reading; other text stays as it is. */
export function formatJson(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 1).replace(/\n\s*/g, ' ');
  } catch {
    return text;
  }
}

/** Downloads a file. */
export function download(name: string, content: Blob): void {
  const url = URL.createObjectURL(content);
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** A file name without extension: call-2026-11-23T06-12-40. */
export function callFileName(startedAt: number): string {
  return `call-${new Date(startedAt).toISOString().slice(0, 19).replace(/:/g, '-')}`;
}

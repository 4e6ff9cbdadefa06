// SPDX-License-Identifier: Apache-2.0

import { readdirSync, readFileSync } from 'node:fs';

/** Clock ticks a second in /proc, on every Linux. */
const TICKS_PER_S = 100;

/** A process and all that descend from it. Linux only. */
export function processTree(root: number): number[] {
  const children = new Map<number, number[]>();
  for (const entry of readdirSync('/proc')) {
    const parent = stat(entry)?.parent;
    if (parent !== undefined)
      children.set(parent, [...(children.get(parent) ?? []), Number(entry)]);
  }
  const tree = [root];
  for (const pid of tree) tree.push(...(children.get(pid) ?? []));
  return tree;
}

/** Proportional set size in MiB: memory that processes share counts once. */
export function pssMiB(pids: number[]): number {
  const kib = pids.map((pid) => {
    const rollup = read(`/proc/${pid}/smaps_rollup`);
    return Number(/^Pss:\s+(\d+) kB/m.exec(rollup ?? '')?.[1] ?? 0);
  });
  return kib.reduce((sum, value) => sum + value, 0) / 1024;
}

/** CPU seconds that these processes have used, by process. */
export function cpuSeconds(pids: number[]): Map<number, number> {
  return new Map(pids.map((pid) => [pid, (stat(String(pid))?.ticks ?? 0) / TICKS_PER_S]));
}

/** CPU seconds that a tree used between two looks at it. */
export function cpuSince(before: Map<number, number>, root: number): number {
  const now = cpuSeconds(processTree(root));
  return [...now].reduce((sum, [pid, seconds]) => sum + seconds - (before.get(pid) ?? 0), 0);
}

function stat(pid: string): { parent: number; ticks: number } | undefined {
  if (!/^\d+$/.test(pid)) return undefined;
  // After the command, which may hold spaces: state, parent, … and as 12th and 13th field user and system time.
  const fields = read(`/proc/${pid}/stat`)?.split(') ').at(-1)?.split(' ');
  if (!fields) return undefined;
  return { parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]) };
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

// SPDX-License-Identifier: Apache-2.0

/** A profile as Node writes it (Chrome DevTools Protocol, `Profiler.Profile`); times in microseconds. */
export interface CpuProfile {
  nodes: { id: number; callFrame: { functionName: string; url: string } }[];
  startTime: number;
  samples: number[];
  timeDeltas: number[];
}

/** Time in a package's own functions, in milliseconds. */
export interface SelfTime {
  name: string;
  ms: number;
}

/** V8's own entries that are no work. */
const NO_WORK = new Set(['(idle)', '(root)']);

/** What ran between two moments of the monotonic clock (microseconds), by package, the largest first. */
export function selfTimes(profile: CpuProfile, from: number, until: number): SelfTime[] {
  const names = new Map(profile.nodes.map(({ id, callFrame }) => [id, packageOf(callFrame)]));
  const sums = new Map<string, number>();
  let at = profile.startTime;
  profile.samples.forEach((id, i) => {
    const delta = profile.timeDeltas[i] ?? 0;
    at += delta;
    const name = names.get(id) ?? '(unknown)';
    if (at < from || at > until || NO_WORK.has(name)) return;
    sums.set(name, (sums.get(name) ?? 0) + delta / 1_000);
  });
  return [...sums].map(([name, ms]) => ({ name, ms })).sort((a, b) => b.ms - a.ms);
}

/** `@scope/name` of a module, `node:http2` of Node's own, the name of a V8 entry like `(garbage collector)`. */
function packageOf({ functionName, url }: CpuProfile['nodes'][number]['callFrame']): string {
  if (url.startsWith('node:'))
    return url.split('/')[0] === 'node:internal' ? url.split('/').slice(0, 2).join('/') : url;
  const modules = url.split('/node_modules/');
  if (modules.length > 1) {
    const [first = '', second = ''] = (modules.at(-1) ?? '').split('/');
    return first.startsWith('@') ? `${first}/${second}` : first;
  }
  if (url)
    return url
      .replace(/^.*\/(agent|packages)\//, '$1/')
      .split('/')
      .slice(0, 4)
      .join('/');
  return functionName || '(native)';
}

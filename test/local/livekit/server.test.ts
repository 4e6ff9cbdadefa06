// SPDX-License-Identifier: Apache-2.0

import { chmodSync, existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findLiveKitServer } from '../../../local/livekit/server.js';

const script = (directory: string, name: string, body: string) => {
  const file = join(directory, name);
  writeFileSync(file, `#!/bin/sh\n${body}\n`);
  chmodSync(file, 0o755);
  return file;
};

/** A machine with nothing on it but what the test puts into `bin`. */
function machine() {
  const home = mkdtempSync(join(tmpdir(), 'livekit-'));
  const bin = mkdtempSync(join(tmpdir(), 'bin-'));
  const statuses: string[] = [];
  const env = { PATH: bin, HOME: home, XDG_CACHE_HOME: join(home, 'cache') };
  return { bin, env, statuses, find: () => findLiveKitServer((line) => statuses.push(line), env) };
}

describe('findLiveKitServer', () => {
  it('prefers livekit-server on the PATH', async () => {
    const { bin, find } = machine();
    const server = script(bin, 'livekit-server', 'exit 0');
    script(bin, 'go', 'exit 1');
    expect(await find()).toEqual({ kind: 'binary', path: server });
  });

  it('builds it with Go, reports that, and uses the build the next time', async () => {
    const { bin, find, statuses, env } = machine();
    script(bin, 'go', 'echo "$@" > "$GOBIN/../asked"; echo made > "$GOBIN/server"');
    // This fake Go ends at once; the end-to-end tests run a real build.
    const first = await find();
    expect(statuses[0]).toMatch(/building LiveKit server v[\d.]+ with Go/);
    expect(first.kind).toBe('binary');
    const path = first.kind === 'binary' ? first.path : '';
    expect(readFileSync(path, 'utf8')).toBe('made\n');
    expect(path.startsWith(env.XDG_CACHE_HOME)).toBe(true);

    script(bin, 'go', 'exit 1');
    expect(await find()).toEqual(first);
    expect(statuses).toHaveLength(1);
  });

  it('leaves no half-built server when Go fails, and shows the output of Go', async () => {
    const { bin, find, env } = machine();
    script(bin, 'go', 'echo "module not found" >&2; exit 1');
    await expect(find()).rejects.toThrow(
      /install livekit-server and put it on the PATH instead[\s\S]*module not found/,
    );
    expect(
      existsSync(join(env.XDG_CACHE_HOME, 'nova-sonic-livekit', 'livekit-server-v1.13.5')),
    ).toBe(false);
  });

  it('falls back to Docker when its engine answers', async () => {
    const { bin, find } = machine();
    script(bin, 'docker', 'exit 0');
    expect(await find()).toEqual({ kind: 'docker' });
  });

  it('names the three options when there is none, even if Docker has no engine', async () => {
    const { bin, find } = machine();
    script(bin, 'docker', 'exit 1');
    await expect(find()).rejects.toThrow(/install livekit-server .*, or install Go .*, or Docker/);
  });
});

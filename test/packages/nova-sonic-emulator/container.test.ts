// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { parse } from 'yaml';

const PACKAGE = new URL('../../../packages/nova-sonic-emulator/', import.meta.url);
const read = (name: string) => readFileSync(new URL(name, PACKAGE), 'utf8');

test("the image's user owns what the README's Compose file mounts volumes on", () => {
  const compose = parse(/```yaml\n(services:[\s\S]*?)```/.exec(read('README.md'))?.[1] ?? '');
  const mounted = compose.services.bedrock.volumes
    .map((volume: string) => volume.split(':'))
    .filter(([source]: string[]) => Object.hasOwn(compose.volumes, source as string))
    .map(([, target]: string[]) => target);
  expect(mounted).toEqual(['/certificates']);
  const [, base] = read('Dockerfile')
    .split(/^FROM .*/gm)
    .slice(-2);
  const owner = /^USER (\d+):(\d+)$/m.exec(base ?? '');
  for (const folder of mounted) {
    const made = `RUN install -d -o ${owner?.[1]} -g ${owner?.[2]} ${folder}\n`;
    expect(base?.indexOf(made)).toBeGreaterThan(-1);
    expect(base?.indexOf(made)).toBeLessThan(owner?.index ?? 0);
  }
});

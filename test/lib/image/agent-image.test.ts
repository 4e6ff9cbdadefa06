// SPDX-License-Identifier: Apache-2.0

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { AgentImage, type AgentImageProps } from '../../../lib/image/agent-image.js';
import { PROJECT, stackOf } from '../synth.js';

const folder = mkdtempSync(join(tmpdir(), 'own-'));
afterAll(() => rmSync(folder, { recursive: true }));
mkdirSync(join(folder, 'tools'));
writeFileSync(join(folder, 'assistant.ts'), 'export const mine = true;\n');
writeFileSync(join(folder, 'tools', 'weather.ts'), 'export {};\n');
writeFileSync(join(folder, 'Dockerfile'), 'FROM scratch\n');

/** Where Docker builds, and from which file. */
function built(props: AgentImageProps): { path: string; dockerfile: string } {
  let image: AgentImage | undefined;
  stackOf((scope) => {
    image = new AgentImage(scope, 'Image', props);
  });
  const { assetPath: path = '', dockerfilePath: dockerfile = '' } = image as unknown as Record<
    string,
    string
  >;
  return { path, dockerfile };
}

describe('the image of an agent', () => {
  test('has the files of one’s own in place of ours, and ours beside them', () => {
    const { path, dockerfile } = built({ projectRoot: PROJECT, agentFiles: folder });
    const read = (file: string) => readFileSync(join(path, file), 'utf8');
    expect(dockerfile).toBe('agent/Dockerfile');
    expect(read('agent/src/assistant.ts')).toContain('mine');
    expect(read('agent/src/tools/weather.ts')).toBe('export {};\n');
    expect(read('agent/Dockerfile')).toBe('FROM scratch');
    expect(built({ projectRoot: PROJECT }).path).not.toBe(path);
  });

  test('can be a Docker context of one’s own', () => {
    expect(built({ directory: folder })).toEqual({ path: folder, dockerfile: 'Dockerfile' });
  });

  test.each<[AgentImageProps, string]>([
    [
      { directory: folder, agentFiles: folder },
      '"directory" is an image of your own and cannot be set with "agentFiles", "baseImage" or "projectRoot".',
    ],
    [
      { projectRoot: PROJECT, agentFiles: '/nowhere' },
      '"agentFiles" cannot be "/nowhere": there is no such folder.',
    ],
  ])('refuses %j', (props, sentence) => {
    expect(() => built(props)).toThrow(sentence);
  });
});

// SPDX-License-Identifier: Apache-2.0
// `npm run survey` prints what the tests beside it hold: names with two meanings, and files that grew too long.

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const CODE = /\.(ts|tsx|js|mjs|css)$/;
const DECLARATION =
  /^export (?:default )?(?:declare )?(?:abstract )?(?:async )?(?:class|const enum|const|enum|function\*?|interface|let|type) (\w+)/gm;

/** More lines than this need a reason. */
export const LONG = 350;
/** How the head of a long file gives its reason. */
export const REASON = /^\/[/*].*Long because .{10}/m;

export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

/** Every source file that git tracks, or would track. */
export function sourceFiles(): SourceFile[] {
  const listed = execFileSync(
    'git',
    ['ls-files', '--cached', '--others', '--exclude-standard', '--deduplicate'],
    { cwd: ROOT, encoding: 'utf8' },
  );
  return listed
    .split('\n')
    .filter((path) => CODE.test(path) && existsSync(join(ROOT, path)))
    .map((path) => ({ path, text: readFileSync(join(ROOT, path), 'utf8') }));
}

/** Names that more than one file exports as declarations of its own, each with those files. */
export function sharedNames(files: readonly SourceFile[]): Map<string, string[]> {
  const declared = new Map<string, Set<string>>();
  for (const { path, text } of files)
    for (const [, name] of text.matchAll(DECLARATION)) {
      const paths = declared.get(name as string) ?? new Set();
      declared.set(name as string, paths.add(path));
    }
  return new Map(
    [...declared].filter(([, paths]) => paths.size > 1).map(([name, paths]) => [name, [...paths]]),
  );
}

/** Files of more than {@link LONG} lines whose first 15 lines give no reason, longest first. */
export function longFiles(files: readonly SourceFile[]): { path: string; lines: number }[] {
  return files
    .map(({ path, text }) => ({ path, text, lines: text.split('\n').length - 1 }))
    .filter(({ lines }) => lines > LONG)
    .filter(({ text }) => !REASON.test(text.split('\n').slice(0, 15).join('\n')))
    .map(({ path, lines }) => ({ path, lines }))
    .sort((a, b) => b.lines - a.lines);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const files = sourceFiles();
  const names = sharedNames(files);
  console.log(`${files.length} source files`);
  console.log(`\nNames that several files declare and export: ${names.size}`);
  for (const [name, paths] of names) console.log(`  ${name}: ${paths.join(', ')}`);
  const long = longFiles(files);
  console.log(`\nFiles of more than ${LONG} lines without a reason in their head: ${long.length}`);
  for (const { path, lines } of long) console.log(`  ${lines} ${path}`);
}

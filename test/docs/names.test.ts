// SPDX-License-Identifier: Apache-2.0

import { execFileSync } from 'node:child_process';
import { expect, test } from '@jest/globals';
import { SETTING_NAMES } from '../../lib/settings/settings.js';
import { PAGES, prose, REPOSITORY, read } from './markdown.js';

/** Pages about what there is; the others also name what there was. */
const CURRENT = PAGES.filter((page) => page !== 'docs/upgrading.md' && page !== 'CHANGELOG.md');

/** Every tracked file that is no document, as one text. */
const SOURCES = execFileSync('git', ['ls-files', '*.ts', '*.tsx', '*.js', '*.mjs', '*.py', '.ci'], {
  cwd: REPOSITORY,
  encoding: 'utf8',
})
  .split('\n')
  .filter((path) => path && path !== 'test/docs/names.test.ts')
  .map((path) => read(path))
  .join('\n');

/** Names of others: of LiveKit, AWS and OpenSSL. */
const THEIRS = [
  'CAPABILITY_NAMED_IAM',
  'JS_FAILED',
  'LIVEKIT_AGENT_DEPLOYMENT',
  'SSL_CERT_FILE',
  ...['exec format error', 'no worker is available', 'private-dns-enabled cannot be set'],
];

test.each(CURRENT)('%s names environment variables that something reads', (page) => {
  const named = [...read(page).matchAll(/\b[A-Z][A-Z0-9]*_[A-Z0-9_]*[A-Z0-9]\b/g)].map(String);
  expect(named.filter((name) => !SOURCES.includes(name) && !THEIRS.includes(name))).toEqual([]);
});

test.each(CURRENT)('%s names settings and parameters of the stack', (page) => {
  const parameters = SETTING_NAMES.map((name) => name[0]?.toUpperCase() + name.slice(1));
  const settings = [...read(page).matchAll(/ -c '?(\w+)=/g)].map(([, name]) => name);
  expect(settings.filter((name) => ![...SETTING_NAMES, 'name'].includes(name as never))).toEqual(
    [],
  );
  const given = [...read(page).matchAll(/--parameters (\w+)=/g)].map(([, name]) => name ?? '');
  const known = [...parameters, 'LiveKitSecretArn'];
  expect(given.filter((name) => !known.includes(name))).toEqual([]);
});

/** What a command's documentation says about its flags, which is generated. */
function flagsOf(script: string): string {
  if (script === 'emulator') return read('packages/nova-sonic-emulator/README.md');
  const [, section] = read('docs/commands.md').split(
    new RegExp(`^## npm (?:run )?${script}$`, 'm'),
  );
  // Benchmarks and tests have no page.
  return section?.split(/^## /m)[0] ?? SOURCES;
}

test.each(CURRENT)('%s gives commands flags that they have', (page) => {
  const calls = read(page).matchAll(/npm (?:run )?(start|[\w:]+) -- ([^`\n|#]*)/g);
  const unknown = [...calls].flatMap(([, script = '', rest = '']) =>
    [...rest.matchAll(/--[a-z][\w-]*/g)].map(String).filter((f) => !flagsOf(script).includes(f)),
  );
  expect(unknown).toEqual([]);
});

/** Where words between back quotes are what a log says. */
const ABOUT_LOGS = CURRENT.filter((page) => /operations|architecture|callers|telephone/.test(page));
const COMMAND = /^(npm|npx|aws|docker|git) /;

test.each(ABOUT_LOGS)('%s quotes what the code says', (page) => {
  const quoted = [...prose(page).matchAll(/`([a-z][\w@/-]*(?: [\w@/,'-]+)+)`/gi)]
    .map(([, text = '']) => text)
    .filter((text) => !COMMAND.test(text) && !THEIRS.includes(text));
  expect(quoted.filter((text) => !SOURCES.includes(text))).toEqual([]);
});

// SPDX-License-Identifier: Apache-2.0
// What publint and Are The Types Wrong find in a tarball of `npm pack`, a line each. A program of its own: they bring a
// TypeScript along that a test process need not load.
// Usage: node publish-checks.mjs TARBALL [--esm-only]
import { readFileSync } from 'node:fs';
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';

const [, , tarball, esmOnly] = process.argv;
const bytes = readFileSync(tarball);
const data = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);

const { messages, pkg } = await publint({ pack: { tarball: data }, strict: true });
for (const message of messages)
  console.log(`publint: ${formatMessage(message, pkg, { color: false })}`);

const { problems = [] } = await checkPackage(createPackageFromTarballData(new Uint8Array(data)));
/** What a package without CommonJS cannot have. */
const commonJs = ({ resolutionKind }) => ['node10', 'node16-cjs'].includes(resolutionKind);
for (const { kind, ...where } of problems.filter((p) => !esmOnly || !commonJs(p)))
  console.log(`types: ${kind} ${JSON.stringify(where)}`);

#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
import pc from 'picocolors';
import { createProgram } from './program.js';

try {
  await createProgram().parseAsync();
} catch (error) {
  console.error(pc.red((error as Error).message));
  process.exit(1);
}

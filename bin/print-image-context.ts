#!/usr/bin/env -S npx tsx
// SPDX-License-Identifier: Apache-2.0

import { fileURLToPath } from 'node:url';
import { stageImageContext } from '../lib/image/image-context.js';

// Prints the folder from which `cdk deploy` builds the image, for builds without the CDK.
process.stdout.write(`${stageImageContext(fileURLToPath(new URL('..', import.meta.url)))}\n`);

// SPDX-License-Identifier: Apache-2.0

// For NODE_OPTIONS=--import: the worker's processes load the assistant of this folder in place of their own.

import { register } from 'node:module';

register('./resolve.js', import.meta.url);

// SPDX-License-Identifier: Apache-2.0
// `npm run soak`: many calls of the plugin, one after the other and together. `npm run soak -- --host`: calls of one host.
import '../local/command/silence-warnings.js';

const host = process.argv.indexOf('--host');
if (host >= 0) {
  process.argv.splice(host, 1);
  await import('./soak/host.js');
} else await import('./soak/plugin.js');

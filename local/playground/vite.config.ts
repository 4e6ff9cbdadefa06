// SPDX-License-Identifier: Apache-2.0

import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  base: './',
  resolve: {
    // The source: the package need not be built.
    alias: {
      'livekit-plugin-nova-sonic/models': fileURLToPath(
        new URL('../../packages/livekit-plugin-nova-sonic/src/protocol/models.ts', import.meta.url),
      ),
    },
  },
  // Everything is served from this machine, and as files: the page's content policy allows no inline scripts.
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 1500,
    target: 'es2022',
  },
  logLevel: 'warn',
});

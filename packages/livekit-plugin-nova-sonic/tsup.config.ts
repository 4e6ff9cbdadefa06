import { defineConfig } from 'tsup';

export default defineConfig({
  entry: {
    index: 'src/index.ts',
    'protocol/models': 'src/protocol/models.ts',
  },
  format: ['esm', 'cjs'],
  // What two entries share is one chunk, so that each class exists once.
  splitting: true,
  // tsup leaves out dependencies and peers, but takes in optional ones, whose native part cannot be bundled.
  external: ['@livekit/local-inference'],
  target: 'node20',
  sourcemap: true,
  dts: false,
});

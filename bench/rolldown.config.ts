import { defineConfig } from 'rolldown'
import { prebuilt } from '../build/prebuilt.ts'

/** Bundles the benchmark and its tools, so that Node 20, which runs no TypeScript, can run them. */
export default defineConfig({
  input: {
    bench: 'bench/bench.ts',
    crowd: 'bench/tools/crowd.ts',
    'synthetic-peers': 'bench/tools/synthetic-peers.ts',
    'event-readers': 'bench/tools/event-readers.ts',
  },
  logLevel: 'warn',
  platform: 'node',
  external: /^vitest/,
  transform: { target: 'node20.19' },
  checks: { bundlerTimings: false },
  plugins: [prebuilt()],
  // `packagePath` expects the bundles here.
  output: { dir: 'bench/built', format: 'esm', cleanDir: true },
})

import { readFileSync } from 'node:fs'

/**
 * The modules whose code is in a bundle, as paths such as `src/cli/ls.ts` or `node_modules/pino/pino.js`: the bundler
 * writes each into a comment above the code.
 */
export function modulesOf(bundle: string): string[] {
  return [...readFileSync(bundle, 'utf8').matchAll(/^\/\/ ((?:src|node_modules)\/\S+)$/gm)].map(([, path = '']) => path)
}

/** The name of the package that a module belongs to; undefined for a module of earshot. */
export function packageOf(module: string): string | undefined {
  return /^(?:.*\/)?node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(module)?.[1]
}

/** The packages that have code in these bundles, sorted. */
export function packagesOf(bundles: readonly string[]): string[] {
  return [...new Set(bundles.flatMap(modulesOf).flatMap((module) => packageOf(module) ?? []))].sort()
}

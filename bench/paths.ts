import { fileURLToPath } from 'node:url'

/** The path of a file in this package. The benchmark runs as a bundle in `bench/built`. */
export function packagePath(path: string): string {
  return fileURLToPath(new URL(`../../${path}`, import.meta.url))
}

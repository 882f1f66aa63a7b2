import { execFileSync } from 'node:child_process'

/** Daemons and commands under test run from `dist`: builds it before any test. Types are `npm run check`'s business. */
export function setup(): void {
  const tsc = ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json', '--noCheck']
  execFileSync(process.execPath, tsc, { stdio: 'inherit' })
}

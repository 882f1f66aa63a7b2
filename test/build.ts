import { execFileSync } from 'node:child_process'

/** Daemons and commands under test run from `dist`: builds it before any test. */
export function setup(): void {
  execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'], { stdio: 'inherit' })
}

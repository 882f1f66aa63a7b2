import { execFileSync } from 'node:child_process'

/** Builds `dist` before all tests, because daemons and commands under test run from it. Does not check types. */
export function setup(): void {
  const tsc = ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json', '--noCheck']
  execFileSync(process.execPath, tsc, { stdio: 'inherit' })
}

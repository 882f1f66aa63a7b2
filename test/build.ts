import { execFileSync } from 'node:child_process'
import { rolldown } from 'rolldown'

/** Modules of src that tests load in a process of their own. */
const MODULES = ['core/wire/identity', 'daemon/shutdown', 'io/net/net']

/**
 * Builds `dist` before all tests, because daemons and commands under test run from it, and bundles these modules into
 * `test/built`.
 */
export async function setup(): Promise<void> {
  execFileSync('npm', ['run', '--silent', 'build'], { stdio: ['ignore', 'ignore', 'inherit'] })
  const bundle = await rolldown({
    input: Object.fromEntries(MODULES.map((name) => [name, `src/${name}.ts`])),
    platform: 'node',
    external: /^[^./]/,
  })
  await bundle.write({ dir: 'test/built', cleanDir: true })
  await bundle.close()
}

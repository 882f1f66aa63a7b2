import { execFileSync } from 'node:child_process'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { rolldown } from 'rolldown'
import type { TestProject } from 'vitest/node'

/** Modules of src that tests load in a process of their own. */
const MODULES = [
  'core/wire/codec',
  'core/wire/hash-chain',
  'core/wire/identity',
  'core/wire/record',
  'daemon/shutdown',
  'io/net/interface-monitor',
  'io/net/net',
]

/**
 * Before all tests: builds and packs the package, and installs it globally into a temporary directory, because daemons
 * and commands under test run from there (`installed.ts`). Bundles the modules above into `test/built`.
 * @returns removes the directory
 */
export async function setup({ provide }: TestProject): Promise<() => Promise<void>> {
  const directory = await mkdtemp(join(tmpdir(), 'earshot-installation-'))
  // Tests run commands as other users, too.
  await chmod(directory, 0o755)
  npm('run', '--silent', 'build')
  // Without scripts: the build is done.
  const [packed]: { filename: string }[] = JSON.parse(
    npm('pack', '--ignore-scripts', '--json', `--pack-destination=${directory}`),
  )
  const tarball = join(directory, packed?.filename ?? '')
  npm(
    'install',
    '--global',
    '--offline',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
    `--prefix=${directory}`,
    tarball,
  )
  provide('tarball', tarball)
  provide('prefix', directory)
  await bundleModules()
  return () => rm(directory, { recursive: true })
}

/** Runs npm, and returns its output. */
function npm(...args: string[]): string {
  return execFileSync('npm', args, { stdio: ['ignore', 'pipe', 'inherit'], encoding: 'utf8' })
}

async function bundleModules(): Promise<void> {
  const bundle = await rolldown({
    input: Object.fromEntries(MODULES.map((name) => [name, `src/${name}.ts`])),
    platform: 'node',
    external: /^[^./]/,
  })
  await bundle.write({ dir: 'test/built', cleanDir: true })
  await bundle.close()
}

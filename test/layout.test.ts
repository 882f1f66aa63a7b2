import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const MAX_LINES = 300

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'earshot-layout-'))
  for (const name of ['package.json', 'tsconfig.json', 'biome.json', '.gitignore', '.dependency-cruiser.cjs']) {
    await cp(join(ROOT, name), join(folder, name))
  }
})
afterAll(() => rm(folder, { recursive: true }))

/** The output of one of the project's commands in a folder. Commands that report a violation exit with an error. */
async function output(command: string, args: string[], cwd: string): Promise<string> {
  const { stdout, stderr } = await promisify(execFile)(join(ROOT, 'node_modules/.bin', command), args, { cwd }).catch(
    (error: { stdout: string; stderr: string }) => error,
  )
  return stdout + stderr
}

/** Replaces `src` of the folder by these files. */
async function writeSources(files: Record<string, string>): Promise<void> {
  await rm(join(folder, 'src'), { recursive: true, force: true })
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), text)
  }
}

/** A file that exports a type and a value, and imports the type from others. */
function file(...imports: string[]): string {
  const lines = imports.map((from, index) => `import type { Thing as Thing${index} } from '${from}'`)
  return [...lines, 'export interface Thing { name: string }', 'export const thing = 1', ''].join('\n')
}

/** A package in node_modules, and a file that imports a value from it. */
function importOfPackage(path: string): Record<string, string> {
  return {
    'node_modules/pino/package.json': '{ "name": "pino", "version": "1.0.0", "main": "index.js" }',
    'node_modules/pino/index.js': 'module.exports = {}',
    [path]: "import { pino } from 'pino'\nexport const log = pino\n",
  }
}

const VIOLATIONS: [rule: string, files: Record<string, string>][] = [
  ['file-circle', { 'src/shared/a.ts': file('./b.ts'), 'src/shared/b.ts': file('./a.ts') }],
  [
    'folder-circle',
    {
      'src/core/wire/a.ts': file('../other/b.ts'),
      'src/core/other/b.ts': file(),
      'src/core/other/c.ts': file('../wire/d.ts'),
      'src/core/wire/d.ts': file(),
    },
  ],
  [
    'part-imports-its-whole',
    {
      'src/daemon/control/a.ts': file('../daemon.ts'),
      'src/daemon/daemon.ts': file('./control/b.ts'),
      'src/daemon/control/b.ts': file(),
    },
  ],
  ...['node:net', 'node:dgram', 'fs', 'node:fs/promises', 'node:os', 'node:timers/promises'].map(
    (name): [string, Record<string, string>] => [
      'core-does-no-io',
      { 'src/core/a.ts': `import * as io from '${name}'\nexport const used = io\n` },
    ],
  ),
  [
    'crypto-only-in-wire',
    { 'src/core/presence/a.ts': "import { createHash } from 'node:crypto'\nexport const hash = createHash\n" },
  ],
  ['core-imports-pure-packages-only', importOfPackage('src/core/a.ts')],
  ['client-imports-no-other-package', importOfPackage('src/client/a.ts')],
  ['shared-imports-nothing', { 'src/shared/a.ts': file('../core/b.ts'), 'src/core/b.ts': file() }],
  ['core-imports-shared-only', { 'src/core/a.ts': file('../io/b.ts'), 'src/io/b.ts': file() }],
  ['wire-knows-no-peers', { 'src/core/wire/a.ts': file('../presence/b.ts'), 'src/core/presence/b.ts': file() }],
  ['presence-below-mdns', { 'src/core/presence/a.ts': file('../mdns/b.ts'), 'src/core/mdns/b.ts': file() }],
  ['io-imports-core-and-shared-only', { 'src/io/a.ts': file('../daemon/b.ts'), 'src/daemon/b.ts': file() }],
  ['net-knows-no-peers', { 'src/io/net/a.ts': file('../../core/wire/b.ts'), 'src/core/wire/b.ts': file() }],
  ['client-loads-nothing-of-the-daemon', { 'src/client/a.ts': file('../daemon/b.ts'), 'src/daemon/b.ts': file() }],
  ['daemon-does-not-import-client-or-cli', { 'src/daemon/a.ts': file('../client/b.ts'), 'src/client/b.ts': file() }],
  ['cli-stays-out-of-the-daemon', { 'src/cli/a.ts': file('../daemon/b.ts'), 'src/daemon/b.ts': file() }],
]

describe('the rules of the layout', () => {
  it.each(VIOLATIONS)('report a violation: %s', async (rule, files) => {
    await writeSources(files)
    expect(await output('depcruise', ['src'], folder)).toContain(`error ${rule}:`)
  })

  it.each([
    'Date.now()',
    'performance.now()',
    'setTimeout(() => {}, 1)',
    'setInterval(() => {}, 1)',
    'setImmediate(() => {})',
    'queueMicrotask(() => {})',
    'process.pid',
    "fetch('')",
    'console.log()',
  ])('report %s in the core, but not in other folders', async (expression) => {
    const text = `export const value = ${expression}\n`
    await writeSources({ 'src/core/a.ts': text, 'src/io/b.ts': text })
    const found = await output('biome', ['lint', '--reporter=github', 'src'], folder)
    expect(found).toMatch(/noRestrictedGlobals.*src\/core\/a\.ts/)
    expect(found).not.toMatch(/noRestrictedGlobals.*src\/io\/b\.ts/)
  })

  it('find no violation in the project', async () => {
    expect(await output('depcruise', ['src'], ROOT)).toContain('no dependency violations found')
  })
})

test(`src has no files beside its folders, and no file has more than ${MAX_LINES} lines`, async () => {
  const entries = await readdir(join(ROOT, 'src'), { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name))
  expect(files.filter((path) => dirname(path) === join(ROOT, 'src'))).toEqual([])
  const lengths = await Promise.all(
    files.map(async (path) => [path, (await readFile(path, 'utf8')).split('\n').length - 1]),
  )
  expect(lengths.filter(([, lines]) => Number(lines) > MAX_LINES)).toEqual([])
})

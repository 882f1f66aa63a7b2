import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { PACKAGE } from '../installed.ts'

const run = promisify(execFile)
const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** A copy of the files that git knows, without the tests. It finds the packages in `node_modules` above it. */
async function clone(): Promise<string> {
  const parent = join(ROOT, 'test/built')
  await mkdir(parent, { recursive: true })
  const directory = await mkdtemp(join(parent, 'clone-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  const { stdout } = await run('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z'], { cwd: ROOT })
  for (const path of stdout.split('\0')) {
    if (path !== '' && !path.startsWith('test/')) await cp(join(ROOT, path), join(directory, path))
  }
  return directory
}

/** The name of a bundle without the hash of its content, in which the paths of the packages differ. */
function withoutHash(path: string): string {
  return path.replace(/-[\w-]{8}\.cjs$/, '.cjs')
}

test('npm pack in a clone builds the whole package, also after a build that was interrupted', async () => {
  const directory = await clone()
  for (const leftover of ['dist/commands/old.cjs', 'dist/client/old.d.ts', 'build/.evaluated-old/old.mjs']) {
    await mkdir(join(directory, leftover, '..'), { recursive: true })
    await writeFile(join(directory, leftover), '')
  }
  const { stdout } = await run('npm', ['pack', '--json', '--dry-run', '--silent'], { cwd: directory })
  const [packed]: { files: { path: string }[] }[] = JSON.parse(stdout.slice(stdout.indexOf('[\n')))
  const entries = await readdir(PACKAGE, { recursive: true, withFileTypes: true })
  const installed = entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => relative(PACKAGE, join(parentPath, name)))
  expect(packed?.files.map(({ path }) => withoutHash(path)).sort()).toEqual(installed.map(withoutHash).sort())
})

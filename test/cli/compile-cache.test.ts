import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { EARSHOTD } from '../installed.ts'
import { describeLab } from '../lab/index.ts'
import { temporaryDirectory } from '../temporary-directory.ts'
import { type Result, run } from './command.ts'

const isRoot = process.geteuid?.() === 0

/** A command line that loads yargs, so that there is much to compile. */
const ARGS = ['--intervall']
const EXPECTED: Result = {
  status: 2,
  stdout: '',
  stderr: "earshotd: unknown flag '--intervall' (did you mean '--interval'?)\n",
}

const runWith = (env: Record<string, string>) => run('earshotd', ARGS, { env })

function files(directory: string): string[] {
  return existsSync(directory) ? readdirSync(directory, { recursive: true }).map(String) : []
}

test('compiled code is kept in the directory of systemd, in XDG_CACHE_HOME, or in ~/.cache', async () => {
  for (const [variable, below] of [
    ['CACHE_DIRECTORY', 'earshot'],
    ['XDG_CACHE_HOME', 'earshot'],
    ['HOME', '.cache/earshot'],
  ] as const) {
    const directory = await temporaryDirectory()
    expect(await runWith({ [variable]: directory })).toEqual(EXPECTED)
    expect(files(join(directory, below)).length, variable).toBeGreaterThan(5)
  }
})

test('a cache directory that is missing or cannot be written changes nothing', async () => {
  const directory = await temporaryDirectory()
  const file = join(directory, 'file')
  writeFileSync(file, '')
  for (const path of [join(directory, 'missing'), file, join(file, 'below'), '/proc/self', '']) {
    expect(await runWith({ XDG_CACHE_HOME: path })).toEqual(EXPECTED)
  }
})

test.runIf(isRoot)('nothing is written to or loaded from a cache directory of another user', async () => {
  const directory = await temporaryDirectory()
  chownSync(directory, 65534, 65534)
  expect(await runWith({ CACHE_DIRECTORY: directory })).toEqual(EXPECTED)
  expect(files(directory)).toEqual([])
})

test.runIf(isRoot)('no other user can lead to a directory of this user, whose files would be removed', async () => {
  const [mine, shared] = [await temporaryDirectory(), await temporaryDirectory()]
  writeFileSync(join(mine, 'letter'), '')
  mkdirSync(join(shared, 'earshot'))
  symlinkSync(mine, join(shared, 'earshot/code'))
  chownSync(shared, 65534, 65534)
  expect(await runWith({ XDG_CACHE_HOME: shared })).toEqual(EXPECTED)
  chownSync(shared, 0, 0)
  chmodSync(shared, 0o1777)
  expect(await runWith({ XDG_CACHE_HOME: shared })).toEqual(EXPECTED)
  expect(files(mine)).toEqual(['letter'])
})

test('damaged code is not run, and replaced', async () => {
  const directory = await temporaryDirectory()
  const cache = join(directory, 'earshot/code')
  await runWith({ CACHE_DIRECTORY: directory })
  for (const name of files(cache)) {
    const path = join(cache, name)
    const code = readFileSync(path)
    writeFileSync(path, Buffer.from(code).fill(0, code.length / 4, code.length / 4 + 512))
    expect(await runWith({ CACHE_DIRECTORY: directory })).toEqual(EXPECTED)
    const stored = readFileSync(path)
    expect(stored.subarray(stored.length / 2).equals(stored.subarray(0, stored.length / 2)), name).toBe(true)
  }
})

test('a daemon that is ready has stored its code, so that killing it loses nothing', async () => {
  const directory = await temporaryDirectory()
  const cache = join(directory, 'cache')
  mkdirSync(cache)
  const flags = ['--interface', 'lo', '--state-dir', join(directory, 'state'), '--socket', join(directory, 'socket')]
  const args = [EARSHOTD, ...flags, '--port', '15399', '--mdns', 'false', '--http', 'off', '--log-format', 'json']
  const daemon = spawn(process.execPath, args, { env: { ...process.env, CACHE_DIRECTORY: cache } })
  const ended = once(daemon, 'exit')
  try {
    await once(daemon.stdout, 'data')
    await expect.poll(() => files(cache).length).toBeGreaterThan(10)
  } finally {
    daemon.kill('SIGKILL')
    await ended
  }
})

test('nothing is written to a cache directory that other users may write', async () => {
  const directory = await temporaryDirectory()
  const cache = join(directory, 'earshot')
  mkdirSync(cache)
  chmodSync(cache, 0o777)
  expect(await runWith({ CACHE_DIRECTORY: directory })).toEqual(EXPECTED)
  expect(files(cache)).toEqual([])
})

test('code that does not fit is replaced, and code of bundles that are gone is removed', async () => {
  const directory = await temporaryDirectory()
  const cache = join(directory, 'earshot/code')
  await runWith({ CACHE_DIRECTORY: directory })
  const stored = files(cache)
  const [first = ''] = stored
  const code = readFileSync(join(cache, first))
  writeFileSync(join(cache, first), 'not code')
  writeFileSync(join(cache, 'ls-00000000.cjs.code'), code)
  expect(await runWith({ CACHE_DIRECTORY: directory })).toEqual(EXPECTED)
  expect(files(cache).sort()).toEqual(stored.sort())
  expect(statSync(join(cache, first)).size).toBeGreaterThan(100)
})

describeLab('a full disk', () => {
  test('under the cache directory changes nothing', async () => {
    const directory = await temporaryDirectory()
    const script = `mount -t tmpfs -o size=4k none "$1" && head -c 4096 /dev/zero > "$1/full"; export CACHE_DIRECTORY="$1"; shift; exec "$@"`
    const { status, stdout, stderr } = spawnSync(
      'unshare',
      ['--mount', '--map-root-user', '--', 'sh', '-c', script, 'sh', directory, process.execPath, EARSHOTD, ...ARGS],
      { encoding: 'utf8' },
    )
    expect({ status, stdout, stderr }).toEqual(EXPECTED)
  })
})

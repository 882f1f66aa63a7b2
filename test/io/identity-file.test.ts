import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { IdentityFile, type LoadedIdentity, nextIncarnation } from '../../src/io/identity-file.ts'
import type { StateNotice } from '../../src/io/state-file.ts'
import { Ticker } from '../../src/io/ticker.ts'
import { StateUnusable } from '../../src/shared/errors.ts'

function directory(): string {
  const path = mkdtempSync(join(tmpdir(), 'earshot-state-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

async function begin(
  stateDir: string,
): Promise<LoadedIdentity & { notices: StateNotice[]; fault: string | undefined }> {
  const notices: StateNotice[] = []
  const file = new IdentityFile(stateDir, (notice) => notices.push(notice), new Ticker())
  const life = await file.begin()
  await file.close()
  return { ...life, notices, fault: file.fault }
}

test('an incarnation is higher than the last one, follows the clock if possible, and stays in range', () => {
  const year2026 = Date.UTC(2026, 10, 27)
  expect(nextIncarnation(undefined, year2026)).toBe(year2026 / 1000)
  expect(nextIncarnation(5, year2026)).toBe(year2026 / 1000)
  expect(nextIncarnation(year2026 / 1000 + 9, year2026)).toBe(year2026 / 1000 + 10)
  expect(nextIncarnation(7, Date.UTC(2115, 0))).toBe(8)
  expect(nextIncarnation(undefined, Date.UTC(2115, 0))).toBe(0)
  expect(nextIncarnation(7, Date.UTC(1901, 0))).toBe(8)
  expect(nextIncarnation(0xfffffffe, year2026)).toBe(0xffffffff)
  expect(nextIncarnation(0xffffffff, year2026)).toBeUndefined()
})

test('an identity is kept until no higher incarnation is possible', async () => {
  const stateDir = join(directory(), 'deep', 'state')
  const first = await begin(stateDir)
  const second = await begin(stateDir)
  expect([first.fresh, second.fresh]).toEqual(['first start', undefined])
  expect(second.identity.id).toBe(first.identity.id)
  expect(second.incarnation).toBeGreaterThan(first.incarnation)
  const file = join(stateDir, 'identity.json')
  writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), incarnation: 0xffffffff }))
  const third = await begin(stateDir)
  expect(third.fresh).toBe('no higher incarnation')
  expect(third.identity.id).not.toBe(first.identity.id)
  expect((await begin(stateDir)).identity.id).toBe(third.identity.id)
})

test('an unusable file in the place of the identity is renamed, and at most three of them are kept', async () => {
  const stateDir = directory()
  const file = join(stateDir, 'identity.json')
  const spoil: (() => void)[] = [
    () => writeFileSync(file, 'first'),
    () => writeFileSync(file, '{"privateKey": "", "machine": "", "incarnation": 4603219200}'),
    () => writeFileSync(file, '{"privateKey": "-", "machine": "", "incarnation": 1}'),
    () => writeFileSync(file, Buffer.from([0xff, 0xfe])),
    () => writeFileSync(file, ' '.repeat(1024 * 1024 + 1)),
    () => void spawnSync('mkfifo', [file]),
  ]
  for (const [number, action] of spoil.entries()) {
    action()
    const { notices, fault, fresh } = await begin(stateDir)
    expect({ notices, fault, fresh }).toMatchObject({
      notices: [{ type: 'set-aside', file, to: `${file}.damaged-${Math.min(number + 1, 3)}` }],
      fault: undefined,
      fresh: 'first start',
    })
    rmSync(file)
  }
  expect(readFileSync(`${file}.damaged-1`, 'utf8')).toBe('first')
  expect(readdirSync(stateDir)).toHaveLength(3)
  // The third file cannot be replaced by a directory. So the directory stays, and the identity is kept in memory.
  mkdirSync(file)
  const { fault, notices } = await begin(stateDir)
  expect(fault).toMatch(/^it is damaged \(it is a directory\) and cannot be renamed: /)
  expect(notices).toMatchObject([{ type: 'not-saved' }])
})

test('a temporary file of a killed daemon is removed, and a symbolic link in its place is not followed', async () => {
  const stateDir = directory()
  const precious = join(directory(), 'precious')
  writeFileSync(precious, 'mine')
  writeFileSync(join(stateDir, 'identity.json.17'), 'half')
  symlinkSync(precious, join(stateDir, `identity.json.${process.pid}`))
  writeFileSync(join(stateDir, 'identity.json.bak'), 'kept')
  await begin(stateDir)
  expect(readdirSync(stateDir).sort()).toEqual(['identity.json', 'identity.json.bak'])
  expect(readFileSync(precious, 'utf8')).toBe('mine')
  expect(lstatSync(join(stateDir, 'identity.json')).mode & 0o777).toBe(0o600)
})

test('a path where no directory can be created is refused, and never waits forever', async () => {
  const file = join(directory(), 'file')
  writeFileSync(file, '')
  for (const path of [file, join(file, 'below'), '/proc/earshot/state', 'a\0b', join('/tmp', 'x'.repeat(300))]) {
    await expect(begin(path)).rejects.toThrow(StateUnusable)
  }
})

// Root can write everywhere.
test.skipIf(process.getuid?.() === 0)('a directory that may not be written holds the identity in memory', async () => {
  const stateDir = directory()
  chmodSync(stateDir, 0o500)
  const { fault, notices } = await begin(stateDir)
  expect(fault).toContain('EACCES')
  expect(notices).toMatchObject([{ type: 'not-saved' }])
})

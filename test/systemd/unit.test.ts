import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const path = (name: string) => fileURLToPath(new URL(`../../systemd/${name}`, import.meta.url))
const hasSystemd = spawnSync('systemd-analyze', ['--version']).status === 0

test.skipIf(!hasSystemd)('systemd-analyze accepts the unit', () => {
  const { status, stdout, stderr } = spawnSync('systemd-analyze', ['verify', path('earshotd.service')], {
    encoding: 'utf8',
  })
  expect([status, stdout, stderr]).toEqual([0, '', ''])
})

test('the unit runs as the user of the sysusers file, and does not restart after an invalid setting', () => {
  const unit = readFileSync(path('earshotd.service'), 'utf8')
  const [, user] = /^u (\S+) /m.exec(readFileSync(path('earshot.sysusers.conf'), 'utf8')) ?? []
  for (const line of [`User=${user}`, `Group=${user}`, 'RestartPreventExitStatus=2']) {
    expect(unit.split('\n')).toContain(line)
  }
})

test('the unit has the directories of the daemon: under its protection, no others can be written', () => {
  const unit = readFileSync(path('earshotd.service'), 'utf8').split('\n')
  expect(unit).toEqual(
    expect.arrayContaining(['RuntimeDirectory=earshot', 'StateDirectory=earshot', 'CacheDirectory=earshot']),
  )
})

import { chownSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { notAllowed } from '../../src/client/not-allowed.ts'

const isRoot = process.getuid?.() === 0

function socketOf(gid: number): string {
  const directory = mkdtempSync(join(tmpdir(), 'earshot-client-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  const socket = join(directory, 'control.sock')
  writeFileSync(socket, '')
  if (isRoot) chownSync(socket, 0, gid)
  return socket
}

test.runIf(isRoot)('who may not change anything is told the group to join', () => {
  const [, name, gid] = /^([a-z]+):[^:]*:([1-9]\d*):/m.exec(readFileSync('/etc/group', 'utf8')) ?? []
  const error = notAllowed(socketOf(Number(gid)))
  expect(error).toMatchObject({ code: 'EARSHOT_NOT_ALLOWED' })
  expect(error.message).toContain(`sudo usermod -aG ${name} "$USER", then log in again`)
})

test.runIf(isRoot)('of a daemon that root runs by hand, only root may', () => {
  expect(notAllowed(socketOf(0)).message).toContain('run this as root')
})

test('a socket that is not there is no reason to fail', () => {
  expect(notAllowed('/nonexistent/control.sock').message).toContain('/nonexistent/control.sock may not be opened')
})

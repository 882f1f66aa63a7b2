import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { chown, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { findListener, findToken, notAllowed, portOwner } from '../../src/client/access.ts'
import { PYTHON } from '../lab/sniffer.ts'
import { temporaryDirectory } from '../temporary-directory.ts'

const HEAD = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n'
const line = (local: string, uid: number, state = '0A') =>
  `   0: ${local} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000  ${uid}        0 4711 1\n`
const EVERY6 = '00000000000000000000000000000000'

describe('the owner of a listening port', () => {
  test.each<[string, string, number, number | undefined]>([
    ['no listener', '', 15353, undefined],
    ['a listener on the address', line('0100007F:3BF9', 1001), 15353, 1001],
    ['a listener on another port', line('0100007F:3BFA', 1001), 15353, undefined],
    ['a listener on another address', line('0200007F:3BF9', 1001), 15353, undefined],
    ['a connection does not count', line('0100007F:3BF9', 1001, '01'), 15353, undefined],
    ['a listener on every address', line('00000000:3BF9', 1001), 15353, 1001],
    ['a listener on every IPv6 address', line(`${EVERY6}:3BF9`, 1001), 15353, 1001],
    ['a listener on the IPv4-mapped IPv6 address', line('0000000000000000FFFF00000100007F:3BF9', 1001), 15353, 1001],
    ['the exact address wins', line('00000000:3BF9', 1001) + line('0100007F:3BF9', 7), 15353, 7],
    ['a low port', line('0100007F:0050', 5), 80, 5],
  ])('%s', (_what, lines, port, owner) => {
    expect(findListener(HEAD + lines, '127.0.0.1', port)).toBe(owner)
  })

  test('is found on an IPv6 address', () => {
    expect(findListener(line('00000000000000000000000001000000:3BF9', 3), '[::1]', 15353)).toBe(3)
  })

  test.skipIf(process.getuid?.() !== 0)('another user who listens there does not get the token', async () => {
    const directory = await temporaryDirectory()
    await mkdir(join(directory, 'earshot'))
    await writeFile(join(directory, 'earshot', 'token'), 'secret\n')
    // Python's interpreter may be run by every user; the Node that runs this may lie in a directory of one user.
    const program =
      'import socket, time; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1], flush=True); time.sleep(60)'
    const other = spawn(PYTHON, ['-c', program], { uid: 65_533, cwd: '/' })
    onTestFinished(() => void other.kill())
    const [port] = await once(other.stdout, 'data')
    const url = `http://127.0.0.1:${Number(port)}`
    const context = { env: { XDG_RUNTIME_DIR: directory }, uid: 1000, temporaryDirectory: '/nowhere' }
    expect(portOwner(url)).toBe(65_533)
    expect(findToken(url, context)).toBeUndefined()
    expect(findToken(url, { ...context, uid: 65_533 })).toBe('secret')
    await chown(join(directory, 'earshot', 'token'), 65_533, 65_533)
    expect(findToken(url, context)).toBe('secret')
  })
})

describe('a user without permission to open the socket', () => {
  const isRoot = process.getuid?.() === 0

  async function socketOf(gid: number): Promise<string> {
    const socket = join(await temporaryDirectory(), 'control.sock')
    await writeFile(socket, '')
    if (isRoot) await chown(socket, 0, gid)
    return socket
  }

  test.runIf(isRoot)('learns which group to join', async () => {
    const [, name, gid] = /^([a-z]+):[^:]*:([1-9]\d*):/m.exec(readFileSync('/etc/group', 'utf8')) ?? []
    const error = notAllowed(await socketOf(Number(gid)))
    expect(error).toMatchObject({ code: 'EARSHOT_NOT_ALLOWED' })
    expect(error.message).toContain(`sudo usermod -aG ${name} "$USER", then log in again`)
  })

  test.runIf(isRoot)('learns that only root may use a daemon that root started by hand', async () => {
    expect(notAllowed(await socketOf(0)).message).toContain('run this as root')
  })

  test('gets an error with the path when the socket does not exist', () => {
    expect(notAllowed('/nonexistent/control.sock').message).toContain('/nonexistent/control.sock may not be opened')
  })
})

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, stat, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { temporaryDirectory } from '../../temporary-directory.ts'
import { ask, FakePresence, startControl } from './fixtures.ts'

describe('the socket', () => {
  test('has mode 0660 in a directory of the user, and is removed at the end', async () => {
    const directory = join(await temporaryDirectory(), 'new', 'earshot')
    const socket = join(directory, 'control.sock')
    const { control } = await startControl(new FakePresence(), { socket, http: undefined })
    expect(control.listening).toEqual({ socket, http: undefined })
    expect((await stat(socket)).mode & 0o777).toBe(0o660)
    expect((await stat(directory)).mode & 0o777).toBe(process.getuid?.() === 0 ? 0o755 : 0o700)
    await control.close()
    await expect(stat(socket)).rejects.toThrow('ENOENT')
  })

  test('of a crashed daemon is replaced', async () => {
    const socket = join(await temporaryDirectory(), 'control.sock')
    const script = join(await temporaryDirectory(), 'dying.mjs')
    await writeFile(
      script,
      "import { createServer } from 'node:net'\ncreateServer().listen(process.argv[2], () => process.send(1))",
    )
    const dying = fork(script, [socket])
    await once(dying, 'message')
    dying.kill('SIGKILL')
    await once(dying, 'exit')
    expect((await stat(socket)).isSocket()).toBe(true)

    await startControl(new FakePresence(), { socket })
    expect((await ask({ socket }, '/healthz')).status).toBe(200)
  })

  test('of a running daemon is not replaced', async () => {
    const { socket } = await startControl()
    await expect(startControl(new FakePresence(), { socket })).rejects.toMatchObject({
      code: 'EARSHOT_ALREADY_RUNNING',
    })
    expect((await ask({ socket }, '/healthz')).status).toBe(200)
  })

  test('is not created if the port is in use', async () => {
    const taken = createServer().listen(0, '127.0.0.1')
    onTestFinished(() => void taken.close())
    await once(taken, 'listening')
    const { port } = taken.address() as { port: number }
    const socket = join(await temporaryDirectory(), 'control.sock')
    await expect(startControl(new FakePresence(), { socket, http: { host: '127.0.0.1', port } })).rejects.toMatchObject(
      { code: 'EARSHOT_HTTP_IN_USE', message: expect.stringContaining(`127.0.0.1:${port}`) },
    )
    await expect(stat(socket)).rejects.toThrow('ENOENT')
  })

  test('does not replace another file', async () => {
    const directory = await temporaryDirectory()
    const file = join(directory, 'file')
    await writeFile(file, 'kept')
    await symlink(file, join(directory, 'link'))
    for (const name of ['file', 'link', 'file/control.sock']) {
      await expect(startControl(new FakePresence(), { socket: join(directory, name) })).rejects.toMatchObject({
        code: 'EARSHOT_SOCKET_UNUSABLE',
      })
    }
    expect((await stat(file)).size).toBe(4)
  })

  test('is refused in a directory that all users can write to', async () => {
    const open = join(await temporaryDirectory(), 'open')
    await mkdir(open)
    await chmod(open, 0o777)
    await expect(startControl(new FakePresence(), { socket: join(open, 's') })).rejects.toThrow(
      'all users may write to',
    )
  })

  test.each(['', `/tmp/${'x'.repeat(103)}`, 'a\0b'])('is refused at %j', async (socket) => {
    await expect(startControl(new FakePresence(), { socket })).rejects.toMatchObject({
      code: 'EARSHOT_SOCKET_UNUSABLE',
    })
  })
})

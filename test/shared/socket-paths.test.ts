import { chmod, mkdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  candidateSockets,
  defaultSocketPath,
  type SocketContext,
  untrustedReason,
} from '../../src/shared/socket-paths.ts'
import { temporaryDirectory } from '../temporary-directory.ts'

const CONTEXT: SocketContext = { env: {}, uid: 1000, temporaryDirectory: '/tmp' }
const USER = '/run/user/1000'

describe('socket paths', () => {
  test('a client tries the user’s own daemon before the system’s', () => {
    const context = { ...CONTEXT, env: { XDG_RUNTIME_DIR: USER } }
    expect(candidateSockets(context)).toEqual([
      '/run/user/1000/earshot/control.sock',
      '/tmp/earshot-1000/control.sock',
      '/run/earshot/control.sock',
    ])
    expect(candidateSockets({ ...CONTEXT, uid: undefined })).toEqual(['/run/earshot/control.sock'])
  })

  test.each<[Partial<SocketContext>, string]>([
    [{ env: { RUNTIME_DIRECTORY: '/run/a:/run/b', XDG_RUNTIME_DIR: USER } }, '/run/a/control.sock'],
    [{ env: { XDG_RUNTIME_DIR: USER } }, '/run/user/1000/earshot/control.sock'],
    [{ env: { XDG_RUNTIME_DIR: '' } }, '/tmp/earshot-1000/control.sock'],
    [{ env: { XDG_RUNTIME_DIR: '/run/user/0' }, uid: 0 }, '/run/earshot/control.sock'],
    [{ uid: undefined }, '/run/earshot/control.sock'],
  ])('a daemon with %o listens on %s', (given, socket) => {
    expect(defaultSocketPath({ ...CONTEXT, ...given })).toBe(socket)
  })

  test('a directory in the temporary directory must be private to the user', async () => {
    const uid = process.getuid?.() ?? 0
    const context = { env: {}, uid, temporaryDirectory: await temporaryDirectory() }
    const socket = defaultSocketPath({ ...context, uid: uid || 1 }).replace('earshot-1/', `earshot-${uid}/`)
    const directory = join(socket, '..')
    expect(untrustedReason(socket, context)).toBeUndefined()
    await mkdir(directory, { mode: 0o700 })
    expect(untrustedReason(socket, context)).toBeUndefined()
    await chmod(directory, 0o755)
    expect(untrustedReason(socket, context)).toContain('other users can access')
    expect(untrustedReason(join(directory, 'own', 'choice.sock'), context)).toBeUndefined()

    const other = { ...context, temporaryDirectory: await temporaryDirectory() }
    await symlink(directory, join(other.temporaryDirectory, `earshot-${uid}`))
    expect(untrustedReason(join(other.temporaryDirectory, `earshot-${uid}`, 'control.sock'), other)).toContain(
      'not a directory',
    )
  })
})

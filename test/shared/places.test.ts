import { chmod, mkdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { daemonSocket, distrust, type Surroundings, socketPlaces } from '../../src/shared/places.ts'
import { temporaryDirectory } from '../daemon/control/fixtures.ts'

const AROUND: Surroundings = { env: {}, uid: 1000, temporaryDirectory: '/tmp' }
const USER = '/run/user/1000'

describe('places', () => {
  test('the user before the system', () => {
    const around = { ...AROUND, env: { XDG_RUNTIME_DIR: USER } }
    expect(socketPlaces(around)).toEqual([
      '/run/user/1000/earshot/control.sock',
      '/tmp/earshot-1000/control.sock',
      '/run/earshot/control.sock',
    ])
    expect(socketPlaces({ ...AROUND, uid: undefined })).toEqual(['/run/earshot/control.sock'])
  })

  test.each<[Partial<Surroundings>, string]>([
    [{ env: { RUNTIME_DIRECTORY: '/run/a:/run/b', XDG_RUNTIME_DIR: USER } }, '/run/a/control.sock'],
    [{ env: { XDG_RUNTIME_DIR: USER } }, '/run/user/1000/earshot/control.sock'],
    [{ env: { XDG_RUNTIME_DIR: '' } }, '/tmp/earshot-1000/control.sock'],
    [{ env: { XDG_RUNTIME_DIR: '/run/user/0' }, uid: 0 }, '/run/earshot/control.sock'],
    [{ uid: undefined }, '/run/earshot/control.sock'],
  ])('a daemon with %o listens on %s', (given, socket) => {
    expect(daemonSocket({ ...AROUND, ...given })).toBe(socket)
  })

  test('what lies in the temporary directory must be private to the user', async () => {
    const uid = process.getuid?.() ?? 0
    const around = { env: {}, uid, temporaryDirectory: await temporaryDirectory() }
    const socket = daemonSocket({ ...around, uid: uid || 1 }).replace('earshot-1/', `earshot-${uid}/`)
    const directory = join(socket, '..')
    expect(distrust(socket, around)).toBeUndefined()
    await mkdir(directory, { mode: 0o700 })
    expect(distrust(socket, around)).toBeUndefined()
    await chmod(directory, 0o755)
    expect(distrust(socket, around)).toContain('others may enter')
    expect(distrust(join(directory, 'own', 'choice.sock'), around)).toBeUndefined()

    const other = { ...around, temporaryDirectory: await temporaryDirectory() }
    await symlink(directory, join(other.temporaryDirectory, `earshot-${uid}`))
    expect(distrust(join(other.temporaryDirectory, `earshot-${uid}`, 'control.sock'), other)).toContain(
      'not a directory',
    )
  })
})

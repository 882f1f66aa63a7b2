import { once } from 'node:events'
import { lstat, stat, unlink } from 'node:fs/promises'
import { connect, type Server } from 'node:net'
import { dirname } from 'node:path'
import { makeDirectory } from '../../io/files.ts'
import { messageOf } from '../../shared/caught-error.ts'
import { AlreadyRunning, SocketUnusable } from '../../shared/errors.ts'
import { SUPERUSER } from '../../shared/socket-paths.ts'

/** `sun_path` has 108 bytes, including the terminating zero (unix(7)). */
const MAX_PATH_BYTES = 107
const WORLD_WRITABLE = 0o002
const STICKY_BIT = 0o1000

/**
 * Checks that a control socket can be created at a path, and that no other user can replace it. Creates the directory if
 * it is missing. Changes nothing at the path itself.
 * @throws AlreadyRunning if a daemon listens there
 * @throws SocketUnusable
 */
export async function prepareSocket(path: string): Promise<void> {
  const bytes = Buffer.byteLength(path)
  if (bytes > MAX_PATH_BYTES) {
    throw new SocketUnusable(path, `the path of a socket may have ${MAX_PATH_BYTES} bytes, and this one has ${bytes}`)
  }
  if (bytes === 0 || path.includes('\0')) throw new SocketUnusable(path, 'it is not a path')
  await withSocketErrors(path, async () => {
    await prepareDirectory(path)
    if (await hasListener(path)) throw new AlreadyRunning(path)
  })
}

/**
 * Listens on a socket file of mode 0660. Call `prepareSocket` first. Replaces a socket file that a crashed daemon left
 * behind. The file is removed when the server closes.
 * @param backlog the number of connections that may wait to be accepted
 * @throws SocketUnusable, AlreadyRunning
 */
export async function listenOnSocket(server: Server, path: string, backlog: number): Promise<void> {
  await withSocketErrors(path, async () => {
    if (await hasListener(path)) throw new AlreadyRunning(path)
    await unlink(path).catch(ignoreAbsent)
    // The file must have this mode from the start. `listen` creates it before it returns.
    const mask = process.umask(0o117)
    try {
      server.listen({ path, backlog })
    } finally {
      process.umask(mask)
    }
    await once(server, 'listening')
  })
}

async function prepareDirectory(path: string): Promise<void> {
  const directory = dirname(path)
  const user = process.getuid?.() ?? SUPERUSER
  // The daemon of a user serves that user only. The system's daemon serves all members of the socket's group.
  await makeDirectory(directory, user === SUPERUSER ? 0o755 : 0o700)
  const { uid, mode } = await stat(directory)
  if (uid !== user && uid !== SUPERUSER) {
    throw new SocketUnusable(path, `the directory ${directory} belongs to another user (${uid})`)
  }
  if (mode & WORLD_WRITABLE && !(mode & STICKY_BIT)) {
    throw new SocketUnusable(path, `all users may write to the directory ${directory} (chmod o-w)`)
  }
}

/** Whether a process listens on the socket. False if there is no file, or if its process has ended. */
async function hasListener(path: string): Promise<boolean> {
  const file = await lstat(path).catch(ignoreAbsent)
  if (!file) return false
  if (!file.isSocket()) throw new SocketUnusable(path, 'a file that is not a socket is in the way')
  return await new Promise((resolve, reject) => {
    const probe = connect(path)
    probe.once('connect', () => {
      probe.destroy()
      resolve(true)
    })
    probe.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED' || error.code === 'ENOENT') resolve(false)
      // The backlog is full: a process listens, but is busy.
      else if (error.code === 'EAGAIN') resolve(true)
      else reject(error)
    })
  })
}

function ignoreAbsent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error
}

/** Converts the errors of the system to `SocketUnusable`, which names the socket. */
async function withSocketErrors<Result>(path: string, act: () => Promise<Result>): Promise<Result> {
  try {
    return await act()
  } catch (error) {
    if (error instanceof AlreadyRunning || error instanceof SocketUnusable) throw error
    throw new SocketUnusable(path, messageOf(error))
  }
}

import { once } from 'node:events'
import { lstat, stat, unlink } from 'node:fs/promises'
import { connect, type Server } from 'node:net'
import { dirname } from 'node:path'
import { makeDirectory } from '../../io/files.ts'
import { messageOf } from '../../shared/caught-error.ts'
import { AlreadyRunning, SocketUnusable } from '../../shared/errors.ts'
import { SUPERUSER } from '../../shared/socket-paths.ts'

/** `sun_path` holds 108 bytes with the closing zero (unix(7)). */
const MOST_PATH_BYTES = 107
const WRITABLE_BY_EVERYBODY = 0o002
const STICKY = 0o1000

/**
 * Makes the way free for a control socket: makes its directory if there is none and sees to it that nobody else can put
 * a socket in our place. Leaves alone whatever lies at the path.
 * @throws AlreadyRunning when a daemon answers there
 * @throws SocketUnusable
 */
export async function prepareSocket(path: string): Promise<void> {
  const bytes = Buffer.byteLength(path)
  if (bytes > MOST_PATH_BYTES) {
    throw new SocketUnusable(path, `a socket's path has ${MOST_PATH_BYTES} bytes at most, and this one has ${bytes}`)
  }
  if (bytes === 0 || path.includes('\0')) throw new SocketUnusable(path, 'it is not a path')
  await because(path, async () => {
    await prepareDirectory(path)
    if (await isAnswered(path)) throw new AlreadyRunning(path)
  })
}

/**
 * Listens on a socket file of mode 0660, after `prepareSocket`; a file left behind by a daemon that has died is replaced.
 * The file goes when the server closes. As many as `backlog` may connect at once.
 * @throws SocketUnusable, AlreadyRunning
 */
export async function listenOnSocket(server: Server, path: string, backlog: number): Promise<void> {
  await because(path, async () => {
    if (await isAnswered(path)) throw new AlreadyRunning(path)
    await unlink(path).catch(ignoreAbsent)
    // The mode must be right from the first moment, and `listen` binds before it returns.
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
  // A user's own daemon is for that user; the system's is for everyone whom the socket's group lets in.
  await makeDirectory(directory, user === SUPERUSER ? 0o755 : 0o700)
  const { uid, mode } = await stat(directory)
  if (uid !== user && uid !== SUPERUSER) {
    throw new SocketUnusable(path, `the directory ${directory} belongs to another user (${uid})`)
  }
  if (mode & WRITABLE_BY_EVERYBODY && !(mode & STICKY)) {
    throw new SocketUnusable(path, `everybody may write into the directory ${directory} (chmod o-w)`)
  }
}

/** Whether someone listens there. False when there is nothing, or a socket whose daemon has died. */
async function isAnswered(path: string): Promise<boolean> {
  const file = await lstat(path).catch(ignoreAbsent)
  if (!file) return false
  if (!file.isSocket()) throw new SocketUnusable(path, 'there is something there that is not a socket')
  return await new Promise((resolve, reject) => {
    const probe = connect(path)
    probe.once('connect', () => {
      probe.destroy()
      resolve(true)
    })
    probe.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED' || error.code === 'ENOENT') resolve(false)
      // Its backlog is full: it is busy, but alive.
      else if (error.code === 'EAGAIN') resolve(true)
      else reject(error)
    })
  })
}

function ignoreAbsent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error
}

/** Turns the system's errors into ours, which name the socket. */
async function because<Result>(path: string, act: () => Promise<Result>): Promise<Result> {
  try {
    return await act()
  } catch (error) {
    if (error instanceof AlreadyRunning || error instanceof SocketUnusable) throw error
    throw new SocketUnusable(path, messageOf(error))
  }
}

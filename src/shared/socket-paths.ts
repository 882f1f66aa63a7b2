import { lstatSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

/**
 * The standard paths of the daemon's control socket. The daemon and the client use the same list, so that the client finds
 * the daemon without configuration.
 */

const SOCKET_NAME = 'control.sock'
const SYSTEM_SOCKET = `/run/earshot/${SOCKET_NAME}`

/** User id of root. */
export const SUPERUSER = 0

/** What the paths depend on. */
export interface SocketContext {
  env: {
    EARSHOT_SOCKET?: string | undefined
    RUNTIME_DIRECTORY?: string | undefined
    XDG_RUNTIME_DIR?: string | undefined
  }
  /** User id; undefined on systems without numeric user ids. */
  uid: number | undefined
  temporaryDirectory: string
}

/** The context of this process. */
export function socketContext(): SocketContext {
  return { env: process.env, uid: process.getuid?.(), temporaryDirectory: tmpdir() }
}

/** The sockets that a client tries when no socket is named, in this order: the user's own daemon, then the system's. */
export function candidateSockets(context: SocketContext): string[] {
  return [userSocket(context), temporarySocket(context), SYSTEM_SOCKET].filter((path) => path !== undefined)
}

/** The socket that a daemon listens on when no socket is named. Under systemd it is in the unit's runtime directory. */
export function defaultSocketPath(context: SocketContext): string {
  const [runtimeDirectory] = context.env.RUNTIME_DIRECTORY?.split(':') ?? []
  if (runtimeDirectory) return join(runtimeDirectory, SOCKET_NAME)
  if (context.uid === SUPERUSER) return SYSTEM_SOCKET
  return userSocket(context) ?? temporarySocket(context) ?? SYSTEM_SOCKET
}

/**
 * Why a socket cannot be trusted; undefined when it can. Any user may create a directory in the temporary directory, so the
 * socket's directory there must be a real directory (no symbolic link), belong to the user, and have mode 0700. Sockets in
 * other places are always trusted.
 */
export function untrustedReason(socket: string, context: SocketContext): string | undefined {
  const directory = dirname(socket)
  if (socket !== temporarySocket(context)) return undefined
  const stats = lstatSync(directory, { throwIfNoEntry: false })
  if (!stats) return undefined
  if (!stats.isDirectory()) return `${directory} is not a directory`
  if (stats.uid !== context.uid) return `${directory} belongs to another user (${stats.uid})`
  if ((stats.mode & 0o777) !== 0o700) return `other users can access ${directory} (chmod 0700)`
  return undefined
}

function userSocket({ env }: SocketContext): string | undefined {
  return env.XDG_RUNTIME_DIR ? join(env.XDG_RUNTIME_DIR, 'earshot', SOCKET_NAME) : undefined
}

function temporarySocket({ uid, temporaryDirectory }: SocketContext): string | undefined {
  return uid === undefined ? undefined : join(temporaryDirectory, `earshot-${uid}`, SOCKET_NAME)
}

import { lstatSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

/** Where the daemon's control socket lies. The daemon chooses its own by the same list as the client looks for it. */

export const SOCKET_NAME = 'control.sock'
export const SYSTEM_SOCKET = `/run/earshot/${SOCKET_NAME}`
/** Read by those who may not open the socket. */
export const LOOPBACK_URL = 'http://127.0.0.1:15353'

export interface Surroundings {
  env: {
    EARSHOT_SOCKET?: string | undefined
    RUNTIME_DIRECTORY?: string | undefined
    XDG_RUNTIME_DIR?: string | undefined
  }
  /** Undefined where users have no numbers. */
  uid: number | undefined
  temporaryDirectory: string
}

export const SUPERUSER = 0

/** @returns the surroundings of this process */
export function surroundings(): Surroundings {
  return { env: process.env, uid: process.getuid?.(), temporaryDirectory: tmpdir() }
}

/** The sockets to try when none is named, the user's own daemon before the system's. */
export function socketPlaces(around: Surroundings): string[] {
  return [userSocket(around), temporarySocket(around), SYSTEM_SOCKET].filter((place) => place !== undefined)
}

/** The socket for a daemon to listen on when none is named: under systemd its runtime directory decides. */
export function daemonSocket(around: Surroundings): string {
  const [runtimeDirectory] = around.env.RUNTIME_DIRECTORY?.split(':') ?? []
  if (runtimeDirectory) return join(runtimeDirectory, SOCKET_NAME)
  if (around.uid === SUPERUSER) return SYSTEM_SOCKET
  return userSocket(around) ?? temporarySocket(around) ?? SYSTEM_SOCKET
}

/**
 * Why the socket's directory cannot be trusted, or undefined if it can. In the temporary directory anybody may have made it,
 * so it must be a directory (no link), the user's own, and of mode 0700.
 */
export function distrust(socket: string, around: Surroundings): string | undefined {
  const directory = dirname(socket)
  if (socket !== temporarySocket(around)) return undefined
  const found = lstatSync(directory, { throwIfNoEntry: false })
  if (!found) return undefined
  if (!found.isDirectory()) return `${directory} is not a directory`
  if (found.uid !== around.uid) return `${directory} belongs to another user (${found.uid})`
  if ((found.mode & 0o777) !== 0o700) return `others may enter ${directory} (chmod 0700)`
  return undefined
}

/** Number of the user to whom a file belongs, or, when it may not be seen, its directory; undefined when neither is there. */
export function ownerOf(file: string): number | undefined {
  for (const path of [file, dirname(file)]) {
    try {
      return lstatSync(path).uid
    } catch {
      // Its directory may still be seen.
    }
  }
  return undefined
}

function userSocket({ env }: Surroundings): string | undefined {
  return env.XDG_RUNTIME_DIR ? join(env.XDG_RUNTIME_DIR, 'earshot', SOCKET_NAME) : undefined
}

function temporarySocket({ uid, temporaryDirectory }: Surroundings): string | undefined {
  return uid === undefined ? undefined : join(temporaryDirectory, `earshot-${uid}`, SOCKET_NAME)
}

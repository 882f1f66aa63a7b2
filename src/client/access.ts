import { lstatSync, readFileSync, statSync } from 'node:fs'
import { endianness } from 'node:os'
import { dirname, join } from 'node:path'
import { candidateSockets, type SocketContext, SUPERUSER, untrustedReason } from '../shared/socket-paths.ts'
import { EarshotError } from './error.ts'

/** Decides which listener on loopback can be trusted to be the daemon, and what this user may do there. */

const TOKEN_NAME = 'token'
const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/
/** The state of a listening socket in the kernel's tables (TCP_LISTEN). */
const LISTENING = '0A'

/**
 * The token that the daemon requires for changes over loopback. The daemon writes it beside its control socket. Undefined
 * when no token can be read, when the URL is not on loopback, or when the listener there belongs to neither root, this user
 * nor the owner of the token, who must not learn it.
 *
 * The token is searched for only beside the standard sockets. If the listener named the path itself, an impostor could make
 * the client send the contents of any file called `token`.
 */
export function findToken(url: string, context: SocketContext): string | undefined {
  if (!LOOPBACK.test(new URL(url).hostname)) return undefined
  const listener = portOwner(url)
  const named = context.env.EARSHOT_SOCKET
  for (const socket of named ? [named] : candidateSockets(context)) {
    if (untrustedReason(socket, context) !== undefined) continue
    const file = join(dirname(socket), TOKEN_NAME)
    if (listener !== undefined && ![SUPERUSER, context.uid, fileOwner(file)].includes(listener)) continue
    const token = readText(file).trim()
    if (token) return token
  }
  return undefined
}

/** The user id of a file's owner, or of its directory's owner when the file cannot be examined. Undefined when neither can. */
export function fileOwner(file: string): number | undefined {
  for (const path of [file, dirname(file)]) {
    try {
      return lstatSync(path).uid
    } catch {
      // The directory may still be visible.
    }
  }
  return undefined
}

/**
 * The user id of the program that listens at an `http:` URL on loopback, from /proc/net/tcp and /proc/net/tcp6 (proc(5)).
 * Undefined when these files cannot be read (other systems than Linux), or when no program listens there.
 */
export function portOwner(url: string): number | undefined {
  const { hostname, port } = new URL(url)
  return findListener(readText('/proc/net/tcp') + readText('/proc/net/tcp6'), hostname, Number(port || 80))
}

/**
 * The same from the text of these tables. The kernel prefers a listener on the exact address to a listener on every
 * address.
 */
export function findListener(tables: string, address: string, port: number): number | undefined {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const owners = new Map<string, number>()
  for (const line of tables.split('\n')) {
    const [, local = '', , state, , , , uid] = line.trim().split(/\s+/)
    if (state === LISTENING && local.endsWith(suffix)) owners.set(local.slice(0, -suffix.length), Number(uid))
  }
  for (const written of kernelForms(address)) {
    const owner = owners.get(written)
    if (owner !== undefined) return owner
  }
  return undefined
}

/** The listening addresses that accept connections to `address`, as the kernel's tables write them, the most exact first. */
function kernelForms(address: string): string[] {
  const anyIpv6 = '0'.repeat(32)
  if (address.includes(':')) return [kernelWords('00000000000000000000000000000001'), anyIpv6]
  const bytes = (address === 'localhost' ? '127.0.0.1' : address).split('.').map(Number)
  const hex = Buffer.from(bytes).toString('hex')
  return [kernelWords(hex), kernelWords(`00000000000000000000ffff${hex}`), '00000000', anyIpv6]
}

/** The kernel writes addresses as 32-bit numbers in the byte order of the machine. */
function kernelWords(hex: string): string {
  const bytes = Buffer.from(hex, 'hex')
  return (endianness() === 'LE' ? bytes.swap32() : bytes).toString('hex').toUpperCase()
}

/** The error for a user who cannot open the daemon's socket, and so cannot change anything. It says how to get access. */
export function notAllowed(socket: string): EarshotError {
  const group = groupOf(socket)
  const remedy =
    group === undefined
      ? 'run this as root or as the user who runs the daemon'
      : `its group may: sudo usermod -aG ${group} "$USER", then log in again`
  return new EarshotError(
    'EARSHOT_NOT_ALLOWED',
    `this user may read what the daemon knows, but not change anything or send probes: ${socket} may not be opened (${remedy})`,
  )
}

/** The name of the socket's group. Undefined when it is root's, has no name in /etc/group, or cannot be found out. */
function groupOf(socket: string): string | undefined {
  try {
    const { gid } = statSync(socket)
    if (gid === SUPERUSER) return undefined
    const lines = readFileSync('/etc/group', 'utf8').split('\n')
    return lines.map((line) => line.split(':')).find((fields) => fields[2] === String(gid))?.[0]
  } catch {
    return undefined
  }
}

/** The text of a file; empty when it cannot be read. */
function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

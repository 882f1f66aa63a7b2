import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { distrust, ownerOf, SUPERUSER, type Surroundings, socketPlaces } from '../shared/places.ts'
import { portOwner } from './port-owner.ts'

const TOKEN_NAME = 'token'
const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/

/**
 * The token for writing over loopback: it lies beside the daemon's socket. Undefined when none may be read, when the URL
 * leads off this machine, or when another user than the token's owner listens there: it is none of their business.
 *
 * Only the places where a daemon's socket belongs are looked at. To ask whoever answers at the URL where its token lies would
 * let an impostor have any file called `token` sent to it.
 */
export function findToken(url: string, around: Surroundings): string | undefined {
  if (!LOOPBACK.test(new URL(url).hostname)) return undefined
  const listener = portOwner(url)
  const named = around.env.EARSHOT_SOCKET
  for (const socket of named ? [named] : socketPlaces(around)) {
    if (distrust(socket, around) !== undefined) continue
    const file = join(dirname(socket), TOKEN_NAME)
    if (listener !== undefined && ![SUPERUSER, around.uid, ownerOf(file)].includes(listener)) continue
    const token = read(file)
    if (token) return token
  }
  return undefined
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch {
    return undefined
  }
}

import { readFileSync, statSync } from 'node:fs'
import { SUPERUSER } from '../shared/places.ts'
import { EarshotError } from './error.ts'

/**
 * The error for whoever may not open the daemon's socket, and so may not change anything: names who may, and how to
 * become one of them.
 */
export function notAllowed(socket: string): EarshotError {
  const group = groupOf(socket)
  const remedy =
    group === undefined
      ? 'run this as root or as the user whose daemon it is'
      : `its group may: sudo usermod -aG ${group} "$USER", then log in again`
  return new EarshotError(
    'EARSHOT_NOT_ALLOWED',
    `this user may read what the daemon knows, but not change anything or send probes: ${socket} may not be opened (${remedy})`,
  )
}

/** The name of the group that may open the socket; undefined when it is root's, or has no name in /etc/group. */
function groupOf(socket: string): string | undefined {
  try {
    const { gid } = statSync(socket)
    if (gid === SUPERUSER) return undefined
    const line = readFileSync('/etc/group', 'utf8')
      .split('\n')
      .find((text) => text.split(':')[2] === String(gid))
    return line?.split(':')[0]
  } catch {
    return undefined
  }
}

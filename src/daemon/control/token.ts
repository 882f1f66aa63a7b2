import { createHash, timingSafeEqual } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { isTroubleOfDisk, readRegular, removeLeftovers, writeAtomically } from '../../io/files.ts'
import { messageOf } from '../../shared/caught-error.ts'
import { TokenUnusable } from '../../shared/errors.ts'

/** Who may open the socket may read the token: its owner and its group. */
const MODE = 0o640
const MOST_BYTES = 1024
const SCHEME = /^Bearer +(\S+)$/i

/** Where the token of a daemon lies: beside its socket. */
export function tokenPath(socket: string): string {
  return join(dirname(socket), 'token')
}

/**
 * Writes the token of this run in the place of the last one, whole or not at all.
 * @throws TokenUnusable; what the system says where the disk is full or the like
 */
export async function writeToken(path: string, token: string): Promise<void> {
  try {
    await removeLeftovers(path)
    await writeAtomically(path, `${token}\n`, MODE)
  } catch (error) {
    if (isTroubleOfDisk(error)) throw error
    throw new TokenUnusable(path, messageOf(error))
  }
}

/** Takes the token away, unless it is no longer this one. */
export async function removeToken(path: string, token: string): Promise<void> {
  const held = await readRegular(path, MOST_BYTES).catch(() => '')
  if (held.toString().trim() === token) await rm(path, { force: true })
}

/** Whether the header `Authorization` bears the token. Takes as long for one that is wrong at the end as at the beginning. */
export function bearsToken(authorization: string | undefined, token: string): boolean {
  const [, given] = SCHEME.exec(authorization ?? '') ?? []
  return given !== undefined && timingSafeEqual(digest(given), digest(token))
}

/** Of the same length for all, which the comparison needs. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

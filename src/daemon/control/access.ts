import { createHash, timingSafeEqual } from 'node:crypto'
import { rm } from 'node:fs/promises'
import type { IncomingHttpHeaders } from 'node:http'
import { dirname, join } from 'node:path'
import { isStorageError, readRegular, removeLeftovers, writeAtomically } from '../../io/files.ts'
import { messageOf } from '../../shared/caught-error.ts'
import { ForeignHost, ForeignOrigin, TokenUnusable } from '../../shared/errors.ts'

/**
 * Access control on the loopback port. Requests from web pages of other sites are refused, and changes need a token. On
 * the Unix socket, the mode of the file decides who has access.
 */

const LOOPBACK_HOST = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::(\d{1,5}))?$/i
const OWN_FETCH_SITES = ['same-origin', 'none']

/**
 * Refuses requests that a web page of another site can send to the loopback port.
 *
 * A browser lets any page send requests to `http://127.0.0.1`. With DNS rebinding, a page can even read the answers: its
 * own host name is made to resolve to 127.0.0.1. But a page cannot forge three headers: with DNS rebinding, `Host`
 * contains the name of the page's host; otherwise `Origin` or `Sec-Fetch-Site` show where the request comes from. Other
 * programs send neither `Origin` nor `Sec-Fetch-Site`.
 * @throws ForeignHost, ForeignOrigin
 */
export function refuseForeignSites(headers: IncomingHttpHeaders): void {
  const host = LOOPBACK_HOST.exec(headers.host ?? '')
  if (!host) throw new ForeignHost(headers.host ?? '')

  const { origin } = headers
  if (origin !== undefined) {
    const own = origin.startsWith('http://') ? LOOPBACK_HOST.exec(origin.slice('http://'.length)) : null
    // A page on another port belongs to another program.
    if (!own || own[1] !== host[1]) throw new ForeignOrigin(origin)
  }

  const site = headers['sec-fetch-site']
  if (site !== undefined && !(typeof site === 'string' && OWN_FETCH_SITES.includes(site))) {
    throw new ForeignOrigin(`Sec-Fetch-Site: ${site}`)
  }
}

/** The owner and the group of the socket may read the token: both may use the socket anyway. */
const TOKEN_MODE = 0o640
const MAX_TOKEN_BYTES = 1024
const BEARER = /^Bearer +(\S+)$/i

/** The path of the token file: beside the socket. */
export function tokenPath(socket: string): string {
  return join(dirname(socket), 'token')
}

/**
 * Replaces the token file of the last run, atomically.
 * @throws TokenUnusable, or the system's error if the disk is full or fails
 */
export async function writeToken(path: string, token: string): Promise<void> {
  try {
    await removeLeftovers(path)
    await writeAtomically(path, `${token}\n`, TOKEN_MODE)
  } catch (error) {
    if (isStorageError(error)) throw error
    throw new TokenUnusable(path, messageOf(error))
  }
}

/** Removes the token file, unless it contains the token of another run. */
export async function removeToken(path: string, token: string): Promise<void> {
  const held = await readRegular(path, MAX_TOKEN_BYTES).catch(() => '')
  if (held.toString().trim() === token) await rm(path, { force: true })
}

/** Whether the header `Authorization` contains the token. The comparison takes constant time. */
export function hasToken(authorization: string | undefined, token: string): boolean {
  const [, given] = BEARER.exec(authorization ?? '') ?? []
  return given !== undefined && timingSafeEqual(digest(given), digest(token))
}

/** `timingSafeEqual` needs inputs of the same length. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

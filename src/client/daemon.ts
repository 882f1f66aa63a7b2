import { type IncomingMessage, request } from 'node:http'
import { EarshotError } from './error.ts'
import { distrust, LOOPBACK_URL, type Surroundings, socketPlaces } from './places.ts'

/** One way to the daemon: a socket's path, or the root of an `http:` URL. */
export type Place = { socket: string } | { url: string }

export interface DaemonOptions {
  /** Path of the control socket; no other place is tried. */
  socket?: string | undefined
  /** For example `http://127.0.0.1:15353`; no other place is tried. */
  url?: string | undefined
}

const NOBODY_THERE = ['ENOENT', 'ENOTDIR', 'ECONNREFUSED']
const NOT_ALLOWED = ['EACCES', 'EPERM']

/** Where the daemon is looked for, and the asking itself. Every request looks anew: daemons come and go. */
export class Daemon {
  readonly #named: Place | undefined
  readonly #around: Surroundings

  /** @throws TypeError when `url` is not an `http:` URL */
  constructor({ socket, url }: DaemonOptions, around: Surroundings) {
    const named = socket ?? (url === undefined ? around.env.EARSHOT_SOCKET : undefined)
    if (url !== undefined && new URL(url).protocol !== 'http:') throw new TypeError(`not an http: URL: ${url}`)
    this.#named = named ? { socket: named } : url !== undefined ? { url } : undefined
    this.#around = around
  }

  /**
   * Sends a GET request and resolves when the answer's head has come.
   * @throws EarshotError EARSHOT_NO_DAEMON, EARSHOT_CONNECTION_LOST
   * @throws the signal's reason when it is aborted
   */
  async get(path: string, headers: Record<string, string>, signal?: AbortSignal): Promise<IncomingMessage> {
    const places: Place[] = this.#named ? [this.#named] : socketPlaces(this.#around).map((socket) => ({ socket }))
    const tried: string[] = []
    let mayNotOpen = false
    for (const place of places) {
      try {
        const reason = 'socket' in place ? distrust(place.socket, this.#around) : undefined
        if (reason === undefined) return await get(place, path, headers, signal)
        tried.push(`${nameOf(place)} (not trusted: ${reason})`)
      } catch (error) {
        signal?.throwIfAborted()
        const code = codeOf(error)
        if (!NOBODY_THERE.includes(code) && !NOT_ALLOWED.includes(code)) throw lost(place, error)
        tried.push(`${nameOf(place)} (${PLAIN[code] ?? code})`)
        if (mayNotOpen || this.#named || !NOT_ALLOWED.includes(code)) continue
        // There is a daemon whose socket is for others: what it shows everyone on this machine, it shows on loopback.
        mayNotOpen = true
        places.push({ url: LOOPBACK_URL })
      }
    }
    throw new EarshotError(
      'EARSHOT_NO_DAEMON',
      `no earshot daemon answers; looked at ${tried.join(', ')} (start one: earshotd; one elsewhere: --socket or EARSHOT_SOCKET)`,
    )
  }
}

const PLAIN: Record<string, string> = {
  ENOENT: 'not there',
  ENOTDIR: 'not there',
  ECONNREFUSED: 'nobody listens',
  EACCES: 'may not be opened',
  EPERM: 'may not be opened',
}

async function get(
  place: Place,
  path: string,
  headers: Record<string, string>,
  signal: AbortSignal | undefined,
): Promise<IncomingMessage> {
  const way =
    'socket' in place
      ? { socketPath: place.socket, host: 'localhost' }
      : { host: new URL(place.url).hostname.replace(/^\[(.*)\]$/, '$1'), port: new URL(place.url).port || 80 }
  return await new Promise((resolve, reject) => {
    // A connection of its own for each request: it costs nothing here, and none is found closed when it is wanted.
    const asked = request({ ...way, path, headers, agent: false, ...(signal && { signal }) })
    asked.once('response', resolve)
    asked.once('error', reject)
    asked.end()
  })
}

/** What becomes of an error on an established connection. */
export function lost(place: Place | undefined, cause: unknown): EarshotError {
  const whom = place ? ` at ${nameOf(place)}` : ''
  const why = cause instanceof Error ? cause.message : String(cause)
  return new EarshotError('EARSHOT_CONNECTION_LOST', `the connection to the earshot daemon${whom} broke: ${why}`, {
    cause,
  })
}

function nameOf(place: Place): string {
  return 'socket' in place ? place.socket : place.url
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}

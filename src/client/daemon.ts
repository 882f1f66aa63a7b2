import { type IncomingMessage, request } from 'node:http'
import { codeOf, messageOf } from '../shared/caught-error.ts'
import { candidateSockets, type SocketContext, SUPERUSER, untrustedReason } from '../shared/socket-paths.ts'
import { fileOwner, findToken, notAllowed, portOwner } from './access.ts'
import { EarshotError } from './error.ts'

/** One way to the daemon: a socket's path, or the root of an `http:` URL. */
export type Place = { socket: string } | { url: string }

export interface DaemonOptions {
  /** Path of the control socket; no other place is tried. */
  socket?: string | undefined
  /** For example `http://127.0.0.1:15353`; no other place is tried. */
  url?: string | undefined
}

/** What is sent to the daemon. */
export interface Question {
  method?: 'GET' | 'PUT' | 'PATCH' | 'POST' | 'DELETE'
  /** With the query. */
  path: string
  accept?: string
  headers?: Readonly<Record<string, string>>
  /** Sent as JSON. */
  body?: object | undefined
}

export interface Answered {
  /** Its head has come. */
  answer: IncomingMessage
  place: Place
}

/** Tried when the daemon's socket exists but cannot be opened: loopback is open to every user of this machine. */
const LOOPBACK_URL = 'http://127.0.0.1:15353'

const NOBODY_THERE = ['ENOENT', 'ENOTDIR', 'ECONNREFUSED']
const NOT_ALLOWED = ['EACCES', 'EPERM']

/** Where the daemon is looked for, and the asking itself. Every request looks anew: daemons come and go. */
export class Daemon {
  readonly #named: Place | undefined
  readonly #context: SocketContext

  /** @throws TypeError when `url` is not an `http:` URL */
  constructor({ socket, url }: DaemonOptions, context: SocketContext) {
    const named = socket ?? (url === undefined ? context.env.EARSHOT_SOCKET : undefined)
    if (url !== undefined && new URL(url).protocol !== 'http:') throw new TypeError(`not an http: URL: ${url}`)
    this.#named = named ? { socket: named } : url !== undefined ? { url } : undefined
    this.#context = context
  }

  /** The daemon at this place and no other. */
  only(place: Place): Daemon {
    return new Daemon(place, this.#context)
  }

  /**
   * Sends a request and resolves when the answer's head has come.
   * @throws EarshotError EARSHOT_NO_DAEMON, EARSHOT_CONNECTION_LOST, EARSHOT_NOT_ALLOWED
   * @throws the signal's reason when it is aborted
   */
  async ask(question: Question, signal?: AbortSignal): Promise<Answered> {
    const places: Place[] = this.#named ? [this.#named] : candidateSockets(this.#context).map((socket) => ({ socket }))
    const tried: string[] = []
    let closed: string | undefined
    for (const place of places) {
      try {
        const reason =
          'socket' in place ? untrustedReason(place.socket, this.#context) : this.#distrustPort(place.url, closed)
        if (reason === undefined) return { answer: await this.#askAt(place, question, signal), place }
        tried.push(`${nameOf(place)} (not trusted: ${reason})`)
      } catch (error) {
        signal?.throwIfAborted()
        const code = codeOf(error) ?? ''
        if (!NOBODY_THERE.includes(code) && !NOT_ALLOWED.includes(code)) throw lost(place, error)
        tried.push(`${nameOf(place)} (${PLAIN[code] ?? code})`)
        if (closed !== undefined || this.#named || !NOT_ALLOWED.includes(code) || !('socket' in place)) continue
        if (this.#needsToken(question)) throw notAllowed(place.socket)
        // There is a daemon whose socket is for others: what it shows everyone on this machine, it shows on loopback.
        closed = place.socket
        places.push({ url: LOOPBACK_URL })
      }
    }
    throw new EarshotError(
      'EARSHOT_NO_DAEMON',
      `no earshot daemon answers; looked at ${tried.join(', ')} (start one: earshotd; one elsewhere: --socket or EARSHOT_SOCKET)`,
    )
  }

  /**
   * Why the loopback port is not believed to be the daemon's, whose socket may not be opened: any user may listen there
   * first. A port that was named is asked whosever it is.
   */
  #distrustPort(url: string, socket: string | undefined): string | undefined {
    if (socket === undefined) return undefined
    const owner = portOwner(url)
    if (owner === undefined || owner === SUPERUSER || owner === this.#context.uid) return undefined
    return owner === fileOwner(socket) ? undefined : `user ${owner} listens there, and the socket is another user's`
  }

  /** Whether loopback would refuse the request, as it changes something and no token can be read. */
  #needsToken({ method = 'GET' }: Question): boolean {
    return method !== 'GET' && findToken(LOOPBACK_URL, this.#context) === undefined
  }

  async #askAt(
    place: Place,
    { method = 'GET', path, accept = 'application/json', headers: others, body }: Question,
    signal: AbortSignal | undefined,
  ): Promise<IncomingMessage> {
    const headers: Record<string, string> = { ...others, accept }
    const content = body && JSON.stringify(body)
    if (content !== undefined) {
      headers['content-type'] = 'application/json'
      headers['content-length'] = String(Buffer.byteLength(content))
    }
    const token = 'url' in place && method !== 'GET' ? findToken(place.url, this.#context) : undefined
    if (token !== undefined) headers['authorization'] = `Bearer ${token}`
    return await new Promise((resolve, reject) => {
      // A connection of its own for each request: it costs nothing here, and none is found closed when it is wanted.
      const asked = request({ ...wayTo(place), method, path, headers, agent: false, ...(signal && { signal }) })
      asked.once('response', resolve)
      asked.once('error', reject)
      asked.end(content)
    })
  }
}

const PLAIN: Record<string, string> = {
  ENOENT: 'not there',
  ENOTDIR: 'not there',
  ECONNREFUSED: 'nobody listens',
  EACCES: 'may not be opened',
  EPERM: 'may not be opened',
}

function wayTo(place: Place): { socketPath?: string; host: string; port?: string | number } {
  if ('socket' in place) return { socketPath: place.socket, host: 'localhost' }
  const { hostname, port } = new URL(place.url)
  return { host: hostname.replace(/^\[(.*)\]$/, '$1'), port: port || 80 }
}

/** What becomes of an error on an established connection. */
export function lost(place: Place | undefined, cause: unknown): EarshotError {
  const whom = place ? ` at ${nameOf(place)}` : ''
  const why = messageOf(cause)
  return new EarshotError('EARSHOT_CONNECTION_LOST', `the connection to the earshot daemon${whom} broke: ${why}`, {
    cause,
  })
}

function nameOf(place: Place): string {
  return 'socket' in place ? place.socket : place.url
}

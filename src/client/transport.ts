import type { NetConnectOpts } from 'node:net'
import { codeOf, messageOf } from '../shared/caught-error.ts'
import { candidateSockets, type SocketContext, SUPERUSER, untrustedReason } from '../shared/socket-paths.ts'
import { fileOwner, findToken, notAllowed, portOwner } from './access.ts'
import { EarshotError } from './error.ts'
import { exchange, type HttpResponse } from './http.ts'

/** The client tries this address if the daemon's socket exists but may not be opened, since every user may connect to loopback. */
const LOOPBACK_URL = 'http://127.0.0.1:15353'

const NO_LISTENER = ['ENOENT', 'ENOTDIR', 'ECONNREFUSED']
const NO_PERMISSION = ['EACCES', 'EPERM']
const REASONS: Record<string, string> = {
  ENOENT: 'does not exist',
  ENOTDIR: 'does not exist',
  ECONNREFUSED: 'connection refused',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
}

/** Where the daemon listens: the path of a socket, or the root of an `http:` URL. */
export type Endpoint = { socket: string } | { url: string }

export interface EndpointOptions {
  /** Path of the control socket; no other endpoint is tried. */
  socket?: string | undefined
  /** For example `http://127.0.0.1:15353`; no other endpoint is tried. */
  url?: string | undefined
}

export interface ApiRequest {
  /** GET unless given. */
  method?: 'GET' | 'PUT' | 'PATCH' | 'POST' | 'DELETE'
  /** Path and query. */
  path: string
  accept?: string
  headers?: Readonly<Record<string, string>>
  /** Sent as JSON. */
  body?: object | undefined
}

/** Sends requests to the daemon, and finds it. Every request searches again, because daemons come and go. */
export class Transport {
  readonly #named: Endpoint | undefined
  readonly #context: SocketContext

  /** @throws TypeError when `url` is not an `http:` URL */
  constructor({ socket, url }: EndpointOptions, context: SocketContext) {
    const named = socket ?? (url === undefined ? context.env.EARSHOT_SOCKET : undefined)
    if (url !== undefined && new URL(url).protocol !== 'http:') throw new TypeError(`not an http: URL: ${url}`)
    this.#named = named ? { socket: named } : url !== undefined ? { url } : undefined
    this.#context = context
  }

  /** A transport to this endpoint only. */
  to(endpoint: Endpoint): Transport {
    return new Transport(endpoint, this.#context)
  }

  /**
   * Sends a request and resolves when the head of the response has arrived.
   * @throws EarshotError EARSHOT_NO_DAEMON, EARSHOT_CONNECTION_LOST, EARSHOT_NOT_ALLOWED
   * @throws the signal's reason when it is aborted
   */
  async send(apiRequest: ApiRequest, signal?: AbortSignal): Promise<{ response: HttpResponse; endpoint: Endpoint }> {
    const endpoints: Endpoint[] = this.#named
      ? [this.#named]
      : candidateSockets(this.#context).map((socket) => ({ socket }))
    const tried: string[] = []
    let forbiddenSocket: string | undefined
    for (const endpoint of endpoints) {
      try {
        const reason = this.#untrustedReason(endpoint, forbiddenSocket)
        if (reason === undefined) return { response: await this.#sendTo(endpoint, apiRequest, signal), endpoint }
        tried.push(`${nameOf(endpoint)} (not trusted: ${reason})`)
      } catch (error) {
        signal?.throwIfAborted()
        const code = codeOf(error) ?? ''
        const isForbidden = NO_PERMISSION.includes(code)
        if (!NO_LISTENER.includes(code) && !isForbidden) throw connectionLost(error, endpoint)
        tried.push(`${nameOf(endpoint)} (${REASONS[code]})`)
        if (forbiddenSocket !== undefined || this.#named || !isForbidden || !('socket' in endpoint)) continue
        if (this.#needsToken(apiRequest)) throw notAllowed(endpoint.socket)
        // A daemon runs here, and this user may not open its socket. Loopback shows the same to every local user.
        forbiddenSocket = endpoint.socket
        endpoints.push({ url: LOOPBACK_URL })
      }
    }
    throw new EarshotError(
      'EARSHOT_NO_DAEMON',
      `no earshot daemon answers; looked at ${tried.join(', ')} (start one: earshotd; if its socket is elsewhere, give its path as socket or EARSHOT_SOCKET)`,
    )
  }

  /**
   * Why an endpoint cannot be trusted to be the daemon; undefined when it can. Any user may listen on the loopback port
   * before the daemon does. So the process that listens on this port must run as root, as this user, or as the owner of
   * the daemon's socket. (The client tries the port only if this user may not open that socket.) A URL that the caller
   * names is always trusted.
   */
  #untrustedReason(endpoint: Endpoint, forbiddenSocket: string | undefined): string | undefined {
    if ('socket' in endpoint) return untrustedReason(endpoint.socket, this.#context)
    if (forbiddenSocket === undefined) return undefined
    const owner = portOwner(endpoint.url)
    if (owner === undefined || owner === SUPERUSER || owner === this.#context.uid) return undefined
    return owner === fileOwner(forbiddenSocket)
      ? undefined
      : `user ${owner} listens there, and the socket belongs to another user`
  }

  /** Whether the daemon would refuse the request over loopback, because it is a change and no token can be read. */
  #needsToken({ method = 'GET' }: ApiRequest): boolean {
    return method !== 'GET' && findToken(LOOPBACK_URL, this.#context) === undefined
  }

  async #sendTo(
    endpoint: Endpoint,
    { method = 'GET', path, accept = 'application/json', headers: others, body }: ApiRequest,
    signal: AbortSignal | undefined,
  ): Promise<HttpResponse> {
    const headers: Record<string, string> = { ...others, accept }
    const content = body && JSON.stringify(body)
    if (content !== undefined) {
      headers['content-type'] = 'application/json'
      headers['content-length'] = String(Buffer.byteLength(content))
    }
    const token = 'url' in endpoint && method !== 'GET' ? findToken(endpoint.url, this.#context) : undefined
    if (token !== undefined) headers['authorization'] = `Bearer ${token}`
    const { address, host } = addressOf(endpoint)
    return await exchange(address, { method, path, host, headers, content }, signal)
  }
}

/** The error for a connection that broke after it had been established. */
export function connectionLost(cause: unknown, endpoint?: Endpoint): EarshotError {
  const where = endpoint ? ` at ${nameOf(endpoint)}` : ''
  const message = `the connection to the earshot daemon${where} broke: ${messageOf(cause)}`
  return new EarshotError('EARSHOT_CONNECTION_LOST', message, { cause })
}

/** Where to connect, and the header Host. */
function addressOf(endpoint: Endpoint): { address: NetConnectOpts; host: string } {
  if ('socket' in endpoint) return { address: { path: endpoint.socket }, host: 'localhost' }
  const { hostname, port, host } = new URL(endpoint.url)
  return { address: { host: hostname.replace(/^\[(.*)\]$/, '$1'), port: Number(port || 80) }, host }
}

function nameOf(endpoint: Endpoint): string {
  return 'socket' in endpoint ? endpoint.socket : endpoint.url
}

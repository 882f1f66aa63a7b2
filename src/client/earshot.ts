import type { IncomingMessage } from 'node:http'
import type { ApiError, Event, Gap, Peer, Peers, Self, Sync } from '../control/api.ts'
import { Daemon, type DaemonOptions, lost } from './daemon.ts'
import { EarshotError } from './error.ts'
import { EventStreamParser } from './event-stream.ts'
import { surroundings } from './places.ts'

export interface EarshotOptions extends DaemonOptions {
  /** How long an answer may take, ms; a stream of events may take for ever. 10 s unless given. */
  timeout?: number
}

export type PeerState = Peer['state']

/** Everything given must hold; of several values in one place, any. */
export interface PeerFilter {
  /** `http` (over TCP or UDP), `http/tcp` or `_http._tcp`. */
  service?: string | string[]
  name?: string | string[]
  /** Alive and suspect unless given. */
  state?: PeerState | 'all' | PeerState[]
  attributes?: Record<string, string | number | boolean>
  /** Whether this daemon's own peer is among them. */
  self?: boolean
}

export interface EventOptions {
  service?: string | string[]
  name?: string | string[]
  /** Begin with the present state. */
  state?: boolean
  /** Begin after this change: an index of this epoch, or an event's `lastEventId`. Goes before `state`. */
  since?: number | string
  signal?: AbortSignal
}

/** An event as it came, and the id to resume from: empty as long as there is none. */
export type DaemonEvent = (Event | Sync | Gap) & { lastEventId: string }

const DEFAULT_TIMEOUT = 10_000

/**
 * What this machine's earshot daemon knows. Finds the daemon by itself: `EARSHOT_SOCKET`, else the user's own, else the
 * system's, else the latter over loopback when its socket may not be opened.
 *
 * Every call rejects with an `EarshotError`, or with the signal's reason when it is aborted.
 */
export class Earshot {
  readonly #daemon: Daemon
  readonly #timeout: number

  constructor({ timeout = DEFAULT_TIMEOUT, ...place }: EarshotOptions = {}) {
    this.#daemon = new Daemon(place, surroundings())
    this.#timeout = timeout
  }

  /** The peers that pass the filter. */
  async peers(filter: PeerFilter = {}, { signal }: { signal?: AbortSignal } = {}): Promise<Peers> {
    const { service, name, state, attributes = {}, self } = filter
    const query = write({ service, name, state, self: self ? '1' : undefined })
    for (const [key, value] of Object.entries(attributes)) query.append(`attr.${key}`, String(value))
    return await this.#json<Peers>(`/v1/peers?${query}`, signal)
  }

  /** One peer, by its id, its name or the beginning of its id. */
  async peer(reference: string, { signal }: { signal?: AbortSignal } = {}): Promise<Peer> {
    return await this.#json<Peer>(`/v1/peers/${encodeURIComponent(reference)}`, signal)
  }

  /** The daemon about itself. */
  async self({ signal }: { signal?: AbortSignal } = {}): Promise<Self> {
    return await this.#json<Self>('/v1/self', signal)
  }

  /**
   * Events as they happen, over one connection that is opened when the first is asked for. It ends when the daemon stops,
   * and does not come back by itself. Leaving the loop closes it. One who is slow to ask for the next may get a `gap`.
   */
  async *events({ service, name, state, since, signal }: EventOptions = {}): AsyncGenerator<DaemonEvent, void, void> {
    const query = write({ service, name, state: state ? '1' : undefined, since: since?.toString() })
    const answer = await this.#daemon.get(`/v1/events?${query}`, { accept: 'text/event-stream' }, signal)
    if (answer.statusCode !== 200) throw refusal(answer, await readBody(answer))
    const parser = new EventStreamParser()
    try {
      for await (const chunk of answer) {
        for (const { data, lastEventId } of parser.read(chunk)) {
          yield { ...parse<Event | Sync | Gap>(answer, data), lastEventId }
        }
      }
    } catch (error) {
      signal?.throwIfAborted()
      throw error instanceof EarshotError ? error : lost(undefined, error)
    } finally {
      answer.destroy()
    }
  }

  async #json<Answer extends object>(path: string, signal: AbortSignal | undefined): Promise<Answer> {
    const deadline = AbortSignal.timeout(this.#timeout)
    const either = signal ? AbortSignal.any([signal, deadline]) : deadline
    try {
      const answer = await this.#daemon.get(path, { accept: 'application/json' }, either)
      const body = await readBody(answer)
      if (answer.statusCode !== 200) throw refusal(answer, body)
      return parse<Answer>(answer, body)
    } catch (error) {
      signal?.throwIfAborted()
      if (deadline.aborted) {
        throw new EarshotError('EARSHOT_TIMED_OUT', `the earshot daemon did not answer within ${this.#timeout} ms`)
      }
      throw error instanceof EarshotError ? error : lost(undefined, error)
    }
  }
}

type Values = Record<string, string | readonly string[] | undefined>

function write(values: Values): URLSearchParams {
  const query = new URLSearchParams()
  for (const [key, value = []] of Object.entries(values)) {
    for (const one of typeof value === 'string' ? [value] : value) query.append(key, one)
  }
  return query
}

async function readBody(answer: IncomingMessage): Promise<string> {
  answer.setEncoding('utf8')
  let body = ''
  for await (const chunk of answer) body += chunk
  return body
}

/** The API's own error; or, when something else answers there, what that was. */
function refusal(answer: IncomingMessage, body: string): EarshotError {
  const { code, message } = parse<Partial<ApiError>>(answer, body)
  if (typeof code !== 'string' || typeof message !== 'string') return notOurs(answer)
  return new EarshotError(code, message, answer.statusCode === undefined ? {} : { status: answer.statusCode })
}

function parse<Shape extends object>(answer: IncomingMessage, text: string): Shape {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null) return value as Shape
  } catch (error) {
    throw notOurs(answer, error)
  }
  throw notOurs(answer)
}

function notOurs(answer: IncomingMessage, cause?: unknown): EarshotError {
  const status = answer.statusCode
  return new EarshotError('EARSHOT_BAD_ANSWER', `what answers is not an earshot daemon (status ${status})`, {
    ...(status !== undefined && { status }),
    cause,
  })
}

import type { IncomingMessage } from 'node:http'
import { open } from './control.ts'
import { Feed, WAIT_TIMEOUT_MS } from './feed.ts'

/** One server-sent event of `GET /v1/events`. */
export interface LabEvent {
  readonly id: string | undefined
  readonly event: string
  /** The parsed value if the data is JSON, otherwise the text. */
  readonly data: unknown
  /** Time of receipt: `performance.now()` of the test process, in milliseconds. */
  readonly receivedAt: number
}

/** An open server-sent event stream: read `events`, wait with `waitFor`, or iterate. */
export class EventStream implements AsyncIterable<LabEvent>, Disposable {
  readonly #response: IncomingMessage
  readonly #feed = new Feed<LabEvent>()
  #id: string | undefined

  private constructor(response: IncomingMessage) {
    this.#response = response
    void this.#read()
  }

  /** Opens the stream. Resolves when the daemon has accepted the request. `since` is sent as Last-Event-ID. */
  static async open(socket: string, path: string, since?: string): Promise<EventStream> {
    const headers = { accept: 'text/event-stream', ...(since === undefined ? {} : { 'last-event-id': since }) }
    const response = await open(socket, 'GET', path, { headers, timeout: 0 })
    if (response.statusCode !== 200) {
      response.destroy()
      throw new Error(`GET ${path} at ${socket}: status ${response.statusCode}`)
    }
    return new EventStream(response)
  }

  /** The events so far, oldest first. */
  get events(): readonly LabEvent[] {
    return this.#feed.items
  }

  /** True once either side has ended the stream. */
  get ended(): boolean {
    return this.#feed.ended
  }

  /** The first matching event: an earlier one from index `from` on, or one within `timeoutMs`. */
  waitFor(wanted: (event: LabEvent) => boolean, timeoutMs = WAIT_TIMEOUT_MS, from = 0): Promise<LabEvent> {
    const seen = (): string => this.events.map(({ event, id }) => `${event}#${id ?? ''}`).join(' ')
    return this.#feed.find(wanted, timeoutMs, () => `matching event among: ${seen() || '(none)'}`, from)
  }

  [Symbol.asyncIterator](): AsyncIterator<LabEvent> {
    return this.#feed[Symbol.asyncIterator]()
  }

  /** Stops reading without closing the connection, like a client that hangs. */
  pause(): void {
    this.#response.pause()
  }

  resume(): void {
    this.#response.resume()
  }

  close(): void {
    this.#response.destroy()
    this.#feed.end()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #read(): void {
    let rest = ''
    this.#response.setEncoding('utf8')
    this.#response.on('data', (text: string) => {
      const blocks = (rest + text).split(/\r?\n\r?\n/)
      rest = blocks.pop() ?? ''
      for (const block of blocks) this.#take(block)
    })
    // A killed daemon resets the connection. For the reader this is the end of the stream, not an error.
    this.#response.on('error', () => this.#feed.end())
    this.#response.on('close', () => this.#feed.end())
  }

  #take(block: string): void {
    const fields = new Map<string, string>()
    for (const line of block.split(/\r?\n/)) {
      const [, name = '', value = ''] = /^([^:]*):? ?(.*)$/.exec(line) ?? []
      const before = name === 'data' ? fields.get(name) : undefined
      fields.set(name, before === undefined ? value : `${before}\n${value}`)
    }
    this.#id = fields.get('id') ?? this.#id
    const data = fields.get('data')
    if (data === undefined) return
    const receivedAt = performance.now()
    this.#feed.push({ id: this.#id, event: fields.get('event') ?? 'message', data: parseJson(data), receivedAt })
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

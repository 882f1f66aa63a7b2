import { Backoff } from './cancellation.ts'
import { type EarshotError, isTransient } from './error.ts'

/**
 * Reads Server-Sent Events, and reconnects when a stream ends. The parser is written here and does not come from a package
 * such as eventsource-parser: applications import this client, and it has no dependencies at run time.
 */

/** A connection that lasted this long is reopened at once, ms. */
const STABLE_AFTER = 1000
/** The first pause after a connection that delivered events but was shorter, ms. */
const PAUSE_AFTER_SHORT_CONNECTION = 100

/** One event of a stream. */
export interface StreamEvent {
  /** `message` when the stream gives no type. */
  type: string
  data: string
  /** The id of the last event that had one; empty before the first. */
  lastEventId: string
}

/**
 * Parses Server-Sent Events (WHATWG HTML, section 9.2.6) from chunks of any size. Buffers the unfinished line and the
 * unfinished event, together at most `maxCharacters`.
 */
export class EventStreamParser {
  readonly #maxCharacters: number
  readonly #decoder = new TextDecoder()
  #unfinishedLine = ''
  #endedWithReturn = false
  #type = ''
  #data: string[] = []
  #dataCharacters = 0
  #lastEventId = ''

  constructor(maxCharacters = 4 * 1024 * 1024) {
    this.#maxCharacters = maxCharacters
  }

  /**
   * The events that this chunk completes.
   * @throws RangeError when an event or a line is too long
   */
  read(chunk: Uint8Array): StreamEvent[] {
    let text = this.#decoder.decode(chunk, { stream: true })
    if (text === '') return []
    // A chunk may end between the CR and the LF of one line break.
    if (this.#endedWithReturn && text.startsWith('\n')) text = text.slice(1)
    this.#endedWithReturn = chunk.at(-1) === 0x0d

    const lines = text.split(/\r\n|\n|\r/)
    const rest = lines.pop() ?? ''
    const events: StreamEvent[] = []
    for (const line of lines) {
      const event = this.#readLine(this.#unfinishedLine + line)
      this.#unfinishedLine = ''
      if (event) events.push(event)
    }
    this.#unfinishedLine += rest
    this.#checkLength()
    return events
  }

  #readLine(line: string): StreamEvent | undefined {
    if (line === '') return this.#dispatch()
    const colon = line.indexOf(':')
    const field = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1)
    if (field === 'data') {
      this.#data.push(value)
      this.#dataCharacters += value.length + 1
      this.#checkLength()
    } else if (field === 'event') {
      this.#type = value
    } else if (field === 'id' && !value.includes('\0')) {
      this.#lastEventId = value
    }
    // Comments, `retry` and unknown fields are ignored.
    return undefined
  }

  #dispatch(): StreamEvent | undefined {
    const event = { type: this.#type || 'message', data: this.#data.join('\n'), lastEventId: this.#lastEventId }
    const hasData = this.#data.length > 0
    this.#type = ''
    this.#data = []
    this.#dataCharacters = 0
    return hasData ? event : undefined
  }

  #checkLength(): void {
    if (this.#unfinishedLine.length + this.#dataCharacters > this.#maxCharacters) {
      throw new RangeError(`an event has more than ${this.#maxCharacters} characters`)
    }
  }
}

/**
 * The events of one connection after another, without end. When a connection is lost, the next is opened at once, and then
 * with growing pauses.
 * @param open opens a connection
 * @param onLoss called when a connection ends, with the error if there was one
 * @throws an error that is not transient, and the signal's reason
 */
export async function* reconnecting<Event>(
  open: () => AsyncIterable<Event>,
  onLoss: (error: EarshotError | undefined) => void,
  signal: AbortSignal | undefined,
): AsyncGenerator<Event, void, void> {
  const backoff = new Backoff()
  for (;;) {
    const openedAt = performance.now()
    let isConnected = false
    let loss: EarshotError | undefined
    try {
      for await (const event of open()) {
        isConnected = true
        yield event
      }
    } catch (error) {
      if (signal?.aborted || !isTransient(error)) throw error
      loss = error
    }
    onLoss(loss)
    if (isConnected) backoff.reset(performance.now() - openedAt >= STABLE_AFTER ? 0 : PAUSE_AFTER_SHORT_CONNECTION)
    await backoff.pause(signal)
  }
}

/** One event of a stream. */
export interface StreamEvent {
  /** `message` when the stream names none. */
  type: string
  data: string
  /** Of the last event that had one; empty before that. */
  lastEventId: string
}

/**
 * Reads Server-Sent Events (WHATWG HTML, section 9.2.6) from chunks that end anywhere.
 * Holds the unfinished line and the unfinished event, together at most `mostCharacters`.
 */
export class EventStreamParser {
  readonly #mostCharacters: number
  readonly #decoder = new TextDecoder()
  #unfinishedLine = ''
  #endedWithReturn = false
  #type = ''
  #data: string[] = []
  #dataCharacters = 0
  #lastEventId = ''

  constructor(mostCharacters = 4 * 1024 * 1024) {
    this.#mostCharacters = mostCharacters
  }

  /**
   * The events that this chunk completes.
   * @throws RangeError when an event or a line is too long
   */
  read(chunk: Uint8Array): StreamEvent[] {
    let text = this.#decoder.decode(chunk, { stream: true })
    if (text === '') return []
    // A line may end in CR LF, and the chunk between the two.
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
    this.#refuseTooLong()
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
      this.#refuseTooLong()
    } else if (field === 'event') {
      this.#type = value
    } else if (field === 'id' && !value.includes('\0')) {
      this.#lastEventId = value
    }
    // What remains are comments, `retry`, which only concerns those that come back by themselves, and the unknown.
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

  #refuseTooLong(): void {
    if (this.#unfinishedLine.length + this.#dataCharacters > this.#mostCharacters) {
      throw new RangeError(`an event has more than ${this.#mostCharacters} characters`)
    }
  }
}

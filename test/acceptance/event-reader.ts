import type { IncomingMessage } from 'node:http'
import { open } from '../lab/control.ts'
import type { Daemon } from '../lab/index.ts'

/** Reads events without storing them, so that a test can have hundreds of readers. Checks that ids have no gaps. */
export class EventReader {
  /** Journal index of the last event with an id. */
  index = -1
  /** Number of events of each type. */
  readonly counts: Record<string, number> = {}
  /** Unexpected event ids. */
  readonly faults: string[] = []
  ended = false
  readonly #response: IncomingMessage
  #rest = ''

  private constructor(response: IncomingMessage) {
    this.#response = response
    response.on('error', () => {})
    response.on('close', () => {
      this.ended = true
    })
  }

  /** Opens an event stream and reads it. */
  static async open(daemon: Daemon): Promise<EventReader> {
    const reader = await EventReader.hanging(daemon)
    reader.read()
    return reader
  }

  /** Opens an event stream without reading it. `read` starts to read. */
  static async hanging({ socket }: Daemon): Promise<EventReader> {
    return new EventReader(await open(socket, 'GET', '/v1/events', { timeout: 0 }))
  }

  read(): void {
    this.#response.setEncoding('utf8').on('data', (text: string) => {
      const blocks = (this.#rest + text).split('\n\n')
      this.#rest = blocks.pop() ?? ''
      for (const block of blocks) this.#take(block)
    })
  }

  close(): void {
    this.#response.destroy()
  }

  #take(block: string): void {
    const [, event] = /^event: (.*)$/m.exec(block) ?? []
    if (event === undefined) return
    this.counts[event] = (this.counts[event] ?? 0) + 1
    const [, digits] = /^id: .*-(\d+)$/m.exec(block) ?? []
    if (event === 'gap') this.index = -1
    if (digits === undefined) return
    const index = Number(digits)
    // `sync` has the index of the initial state. After that, each change has the next index.
    const expected = event === 'sync' ? Math.max(index, this.index) : this.index + 1
    if (index !== expected) this.faults.push(`${event} ${index} instead of ${expected}`)
    this.index = index
  }
}

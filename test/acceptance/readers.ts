import type { IncomingMessage } from 'node:http'
import { open } from '../lab/control.ts'
import type { Daemon } from '../lab/index.ts'

/** Reads events without keeping them: hundreds of these fit into a test. Checks that ids follow one another without a gap. */
export class Reader {
  /** Index of the last event that had one. */
  index = -1
  /** How often each type of event came. */
  readonly counts: Record<string, number> = {}
  /** What was not as it should be. */
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

  /** Asks for events and reads them. */
  static async open(daemon: Daemon): Promise<Reader> {
    const reader = await Reader.hanging(daemon)
    reader.read()
    return reader
  }

  /** Asks for events and does not read any, until `read` is called. */
  static async hanging({ socket }: Daemon): Promise<Reader> {
    return new Reader(await open(socket, 'GET', '/v1/events', { timeout: 0 }))
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
    // The present state is known up to the index of `sync`; from there on every change has the next number.
    const expected = event === 'sync' ? Math.max(index, this.index) : this.index + 1
    if (index !== expected) this.faults.push(`${event} ${index} instead of ${expected}`)
    this.index = index
  }
}

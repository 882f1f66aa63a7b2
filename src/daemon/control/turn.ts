import type { PeerView, PresenceReader } from '../../core/presence/peers/types.ts'
import { writeJson } from './json.ts'

/**
 * What is made once for all the queries that are answered in one turn of the event loop, as when one change answers a
 * thousand of them. Nothing is kept beyond the turn, so nothing is ever out of date.
 */
export class Turn {
  readonly #reader: PresenceReader
  readonly #texts = new Map<string, Buffer>()
  #views: PeerView[] | undefined
  #index = 0
  #isUnderWay = false

  constructor(reader: PresenceReader) {
    this.#reader = reader
  }

  /** Every peer but the daemon's own. */
  views(): readonly PeerView[] {
    this.#begin()
    this.#views ??= this.#reader.peers()
    return this.#views
  }

  /** The JSON of what `make` makes, the same for every query of this name. */
  text(query: string, make: () => object): Buffer {
    this.#begin()
    let text = this.#texts.get(query)
    if (!text) {
      text = Buffer.from(writeJson(make()))
      this.#texts.set(query, text)
    }
    return text
  }

  #begin(): void {
    if (this.#index !== this.#reader.index) this.#end()
    if (this.#isUnderWay) return
    this.#isUnderWay = true
    this.#index = this.#reader.index
    setImmediate(() => this.#end())
  }

  #end(): void {
    this.#isUnderWay = false
    this.#views = undefined
    this.#texts.clear()
  }
}

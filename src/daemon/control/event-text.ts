import type { PeerView, ReportedChange } from '../../core/presence/peers/types.ts'
import type { Event, Gap, ServiceEvent, Sync } from '../../shared/api.ts'
import { isoTime } from './iso-time.ts'
import { writeJson } from './json.ts'
import type { Station } from './station.ts'
import { changeJson, peerJson } from './views.ts'

/** Comes first on a stream: a browser that lost it comes back after this long. */
export const OPENING = Buffer.from('retry: 1000\n\n')
/** A comment, which no reader sees: it shows both ends that the connection is alive. */
export const KEEP_ALIVE = Buffer.from(': keep-alive\n\n')

/** Writes events as Server-Sent Events (WHATWG HTML, section 9.2.5). */
export class EventText {
  readonly #station: Station
  // One change goes to every reader, so its text is made once and lives as long as the journal holds the change.
  readonly #changes = new WeakMap<ReportedChange, { idLength: number; whole: Buffer }>()

  constructor(station: Station) {
    this.#station = station
  }

  /** A change, with the id that a reader can resume from. */
  change(change: ReportedChange): Buffer {
    return this.#changeText(change).whole
  }

  /** A change without id: one who loses the stream after this must not resume from it. */
  changeWithoutId(change: ReportedChange): Buffer {
    const { idLength, whole } = this.#changeText(change)
    return whole.subarray(idLength)
  }

  /** A part of the present state. Without id: the state is whole only at `sync`. */
  peer(view: PeerView): Buffer {
    const wallClock = this.#station.wallClock.bind(this.#station)
    return Buffer.from(event({ type: 'peer', ...this.#now(), peer: peerJson(view, wallClock) }))
  }

  /** «You now know everything up to here», with an id. */
  sync(): Buffer {
    const now = this.#now()
    return Buffer.from(this.#id(now.index) + event({ type: 'sync', epoch: this.#station.epoch, ...now }))
  }

  /** «You have missed something»; without id, so that one who loses the stream now is told again. */
  gap(): Buffer {
    return Buffer.from(event({ type: 'gap', epoch: this.#station.epoch, ...this.#now() }))
  }

  #changeText(change: ReportedChange): { idLength: number; whole: Buffer } {
    let text = this.#changes.get(change)
    if (!text) {
      const id = this.#id(change.index)
      const wallClock = this.#station.wallClock.bind(this.#station)
      text = { idLength: Buffer.byteLength(id), whole: Buffer.from(id + event(changeJson(change, wallClock))) }
      this.#changes.set(change, text)
    }
    return text
  }

  #id(index: number): string {
    return `id: ${this.#station.epoch}-${index}\n`
  }

  #now(): { index: number; at: string } {
    const { reader } = this.#station
    return { index: reader.index, at: isoTime(this.#station.wallClock(this.#station.now())) }
  }
}

// JSON escapes every line break, so the data is one line whatever a peer calls itself.
function event(data: Event | ServiceEvent | Sync | Gap): string {
  return `event: ${data.type}\ndata: ${writeJson(data)}\n\n`
}

import type { PeerView, ReportedChange } from '../../core/presence/peers/types.ts'
import type { Event, Gap, ServiceEvent, Sync } from '../../shared/api.ts'
import { changeJson, isoTime, peerJson, writeJson } from './api-json.ts'
import type { ControlDependencies } from './context.ts'

/** The first bytes of a stream: a browser that loses it reconnects after 1000 ms. */
export const RETRY = Buffer.from('retry: 1000\n\n')
/** A comment, which clients ignore. It shows both ends that the connection still works. */
export const KEEP_ALIVE = Buffer.from(': keep-alive\n\n')

/** Formats events as Server-Sent Events (WHATWG HTML, section 9.2). */
export class SseFormat {
  readonly #deps: ControlDependencies
  // All streams share the bytes of a change. They are kept as long as the journal keeps the change.
  readonly #changes = new WeakMap<ReportedChange, { idLength: number; bytes: Buffer }>()

  constructor(deps: ControlDependencies) {
    this.#deps = deps
  }

  /** A change, with an id to resume from. */
  change(change: ReportedChange): Buffer {
    return this.#format(change).bytes
  }

  /** A change without an id, while the client does not yet have the complete state and must not resume from here. */
  changeWithoutId(change: ReportedChange): Buffer {
    const { idLength, bytes } = this.#format(change)
    return bytes.subarray(idLength)
  }

  /** One peer of the present state. Has no id, because the state is only complete at `sync`. */
  peer(view: PeerView): Buffer {
    const wallClock = this.#deps.wallClock.bind(this.#deps)
    return Buffer.from(formatEvent({ type: 'peer', ...this.#now(), peer: peerJson(view, wallClock) }))
  }

  /** Tells the client that it is up to date. Has an id. */
  sync(): Buffer {
    const now = this.#now()
    return Buffer.from(this.#id(now.index) + formatEvent({ type: 'sync', epoch: this.#deps.epoch, ...now }))
  }

  /** Tells the client that it missed changes. Has no id: after a reconnect, the client must be told again. */
  gap(): Buffer {
    return Buffer.from(formatEvent({ type: 'gap', epoch: this.#deps.epoch, ...this.#now() }))
  }

  #format(change: ReportedChange): { idLength: number; bytes: Buffer } {
    let formatted = this.#changes.get(change)
    if (!formatted) {
      const id = this.#id(change.index)
      const wallClock = this.#deps.wallClock.bind(this.#deps)
      const bytes = Buffer.from(id + formatEvent(changeJson(change, wallClock)))
      formatted = { idLength: Buffer.byteLength(id), bytes }
      this.#changes.set(change, formatted)
    }
    return formatted
  }

  #id(index: number): string {
    return `id: ${this.#deps.epoch}-${index}\n`
  }

  #now(): { index: number; at: string } {
    const { presence } = this.#deps
    return { index: presence.index, at: isoTime(this.#deps.wallClock(this.#deps.now())) }
  }
}

/** JSON escapes line breaks, so the data is always one line. */
function formatEvent(data: Event | ServiceEvent | Sync | Gap): string {
  return `event: ${data.type}\ndata: ${writeJson(data)}\n\n`
}

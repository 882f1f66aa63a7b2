import type { Beat } from '../../wire/index.ts'

/** Beats missing in a row that are counted as lost: beyond, the peer was away rather than unheard. */
const MOST_LOST = 1000

/** How well the beats to everyone are heard that a peer has said in one incarnation. */
export class Reception {
  heard = 0
  lost = 0
  /** Interarrival jitter, ms (RFC 3550, section 6.4.1). */
  jitter = 0
  #last: { number: number; sent: number; at: number } | undefined

  /** A fresh beat, at `now` in monotonic ms. */
  take({ number, sent }: Beat, now: number): void {
    this.heard++
    const last = this.#last
    if (last && number > last.number) {
      this.lost += Math.min(number - last.number - 1, MOST_LOST)
      const deviation = Math.abs(now - last.at - ((sent - last.sent) >>> 0))
      this.jitter += (deviation - this.jitter) / 16
    }
    this.#last = { number, sent, at: now }
  }
}

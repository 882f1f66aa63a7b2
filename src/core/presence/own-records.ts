import { Budget } from '../budget.ts'
import type { DatagramSource } from '../link.ts'
import type { Random } from '../random.ts'
import { MAX_INCARNATION, type PeerId, type PeerRecord, type SignedRecord } from '../wire/index.ts'
import type { Self } from './peers/self.ts'
import type { Notice } from './peers/types.ts'
import type { Speaker } from './speaker.ts'

/** By up to this many an incarnation is higher than it has to be, so that two that choose at once seldom choose the same. */
const SPREAD = 16
/** Higher incarnations begun per second, and at once: a stranger may know several that this daemon has forgotten. */
const BEGINNINGS_PER_SECOND = 0.1
const BEGINNINGS_AT_ONCE = 4

/**
 * What to do about a record that our own key signed in an incarnation as high as ours or higher. Either it is from our
 * own past, which we have forgotten (a read-only disk, a restored backup, a wrong clock): then we begin a still higher
 * incarnation. Or another machine has our key: then it will do the same, and its new record names ours as the one that
 * it supersedes, which no recording of the past can do. Who hears that takes a new key.
 */
export class OwnRecords {
  readonly #self: Self
  readonly #speaker: Speaker
  readonly #random: Random
  readonly #notice: (notice: Notice) => void
  readonly #beginnings = new Budget(BEGINNINGS_PER_SECOND, BEGINNINGS_AT_ONCE)
  /** The identity that was found to be somebody else's too: a new one takes a moment. */
  #taken: PeerId | undefined

  constructor(self: Self, speaker: Speaker, random: Random, notice: (notice: Notice) => void) {
    this.#self = self
    this.#speaker = speaker
    this.#random = random
    this.#notice = notice
  }

  /** `signed` bears our own id, and its signature has been checked. */
  heard(
    { id, incarnation }: SignedRecord,
    { goodbye, supersedes }: PeerRecord,
    where: DatagramSource,
    now: number,
  ): void {
    const self = this.#self
    const isOurs = incarnation === self.incarnation && goodbye === self.goodbye
    if (isOurs || incarnation < self.incarnation || this.#taken === id) return
    const { address, interface: through } = where
    const isAnswer = supersedes !== undefined && self.hasCommittedTo(supersedes)
    if (isAnswer || incarnation === MAX_INCARNATION) {
      this.#taken = id
      this.#notice({ type: 'identity-taken', id, address, interface: through })
    } else if (this.#beginnings.take(now)) {
      const higher = incarnation + 1 + Math.floor(this.#random.number() * SPREAD)
      self.begin(Math.min(higher, MAX_INCARNATION), goodbye)
      this.#notice({
        type: 'incarnation',
        heard: incarnation,
        incarnation: self.incarnation,
        address,
        interface: through,
      })
      this.#speaker.announceEverywhere(now)
    }
  }
}

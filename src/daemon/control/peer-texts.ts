import type { OfferedService, PeerView } from '../../core/presence/peers/types.ts'
import { offerJson, peerJson, writeJson } from './api-json.ts'
import type { ControlDependencies } from './context.ts'

/** The texts are dropped when no list was asked for this long, ms. */
const IDLE_MS = 60_000
/** The maximum size of all texts, in characters. Ten thousand usual peers have ten million. */
const MAX_CHARACTERS = 16 * 1024 * 1024

/** The texts about a peer that were made so far, and the view that they were made from. */
interface Texts {
  view: PeerView
  peer?: string
  offers?: Map<OfferedService, string>
}

/**
 * The JSON of peers and of their services, for lists. Of thousands of peers, most have not changed and were not heard again
 * since the last list. So their texts are kept while lists are asked for.
 */
export class PeerTexts {
  readonly #wallClock: ControlDependencies['wallClock']
  readonly #texts = new Map<string, Texts>()
  #characters = 0
  /** The wall clock at monotonic 0, ms since 1970. It may be set, and times in texts depend on it. */
  #offset = Number.NaN
  #timer: NodeJS.Timeout | undefined

  /** `wallClock` converts monotonic ms to ms since 1970. */
  constructor(wallClock: ControlDependencies['wallClock']) {
    this.#wallClock = wallClock
  }

  /** Drops the texts that must not be used for a new list. To be called before each. */
  begin(): void {
    const offset = this.#wallClock(0)
    if (offset !== this.#offset) this.#clear()
    this.#offset = offset
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      this.#clear()
    }, IDLE_MS).unref()
    this.#timer.refresh()
  }

  /** A peer as JSON. */
  peer(view: PeerView): string {
    const texts = this.#of(view)
    texts.peer ??= this.#count(writeJson(peerJson(view, this.#wallClock)))
    return texts.peer
  }

  /** A service with the peer that offers it as JSON. */
  offer(service: OfferedService, view: PeerView): string {
    const texts = this.#of(view)
    texts.offers ??= new Map()
    const known = texts.offers.get(service)
    if (known !== undefined) return known
    const text = this.#count(writeJson(offerJson(service, view)))
    texts.offers.set(service, text)
    return text
  }

  #of(view: PeerView): Texts {
    const known = this.#texts.get(view.id)
    if (known && isSame(known.view, view)) return known
    const texts = { view }
    this.#texts.set(view.id, texts)
    return texts
  }

  /** Counts a new text. Texts that were replaced still count, until all are dropped. */
  #count(text: string): string {
    this.#characters += text.length
    if (this.#characters > MAX_CHARACTERS) this.#clear()
    return text
  }

  #clear(): void {
    this.#texts.clear()
    this.#characters = 0
  }
}

/** Whether two views have the same members. Members that are objects are replaced when they change. */
function isSame(one: PeerView, other: PeerView): boolean {
  // The one member that a view may lack.
  if (one.hidden !== other.hidden) return false
  for (const key in one) if (one[key as keyof PeerView] !== other[key as keyof PeerView]) return false
  return true
}

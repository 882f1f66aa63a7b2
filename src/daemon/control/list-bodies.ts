import type { ServerResponse } from 'node:http'
import type { PeerView, PresenceReader } from '../../core/presence/peers/types.ts'
import { TooBusy } from '../../shared/errors.ts'
import type { LoopTurns } from './loop-turns.ts'
import { PeerSnapshot } from './peer-snapshot.ts'

/** A list, and how it is made. */
export interface ListContent<Item> {
  /** Requests with the same key get the same list. */
  key: string
  /** The member of the answer that contains the list. */
  member: string
  /** The peers that are not in the registry but belong to the list, now. */
  others(): { first: readonly PeerView[]; last: readonly PeerView[] }
  /** What the list contains of a peer: an item, or several, or an empty list. */
  itemsOf(peer: PeerView): Item | readonly Item[]
  /** The JSON of an item. */
  write(item: Item): string
}

/** If the registry is still at `index`, the list contains no other peers of it than these. */
export interface Candidates {
  index: number
  ids: ReadonlySet<string>
}

/** The JSON of a list. */
interface ListBody {
  /** The index that the list is of. */
  index: number
  pieces: readonly Buffer[]
  bytes: number
}

interface ListBodiesOptions {
  presence: PresenceReader
  epoch: string
  turns: LoopTurns
}

/**
 * Writes the lists that the clients of one transport ask for. A long list takes several turns of the event loop, and yet is
 * of one moment. One long list is written at a time. Clients that ask for the same list share it.
 */
export class ListBodies {
  readonly #presence: PresenceReader
  readonly #epoch: string
  readonly #turns: LoopTurns
  readonly #drafts = new Map<string, Draft>()
  readonly #pending = new PendingBytes()
  /** Settles when the newest long list is written. */
  #last: Promise<unknown> = Promise.resolve()

  constructor({ presence, epoch, turns }: ListBodiesOptions) {
    this.#presence = presence
    this.#epoch = epoch
    this.#turns = turns
  }

  /**
   * Writes a list for a client, and counts its bytes until the client has taken them. Returns undefined if the client has
   * disconnected in the meantime.
   * @throws TooBusy
   */
  async write<Item>(
    content: ListContent<Item>,
    candidates: Candidates | undefined,
    out: ServerResponse,
  ): Promise<ListBody | undefined> {
    let draft = this.#drafts.get(content.key)
    if (!draft || (draft.index !== undefined && draft.index !== this.#presence.index)) {
      draft = this.#begin(content, candidates)
    }
    draft.add(out)
    const body = await draft.body
    return out.destroyed ? undefined : body
  }

  #begin<Item>(content: ListContent<Item>, candidates: Candidates | undefined): Draft {
    const draft = new Draft()
    this.#drafts.set(content.key, draft)
    const before = candidates ? Promise.resolve() : this.#last
    draft.body = before.then(() => this.#write(content, candidates, draft))
    if (!candidates) this.#last = draft.body.catch(() => {})
    return draft
  }

  async #write<Item>(
    content: ListContent<Item>,
    candidates: Candidates | undefined,
    draft: Draft,
  ): Promise<ListBody | undefined> {
    try {
      if (!draft.isWanted) return undefined
      this.#pending.throwIfFull()
      const snapshot = new PeerSnapshot(this.#presence)
      let peers = this.#candidates(candidates) ?? snapshot.read(this.#turns)
      while (!peers) {
        await this.#turns.next()
        if (!draft.isWanted) return undefined
        peers = snapshot.read(this.#turns)
      }
      // The list is of this moment. Its text is made afterwards.
      const { index } = this.#presence
      draft.index = index
      const { first, last } = content.others()
      const items = [...first, ...peers, ...last].flatMap(content.itemsOf)
      const pieces = new Pieces()
      let separator = `{"epoch":${JSON.stringify(this.#epoch)},"index":${index},"${content.member}":[`
      for (const item of items) {
        if (this.#turns.isOver()) {
          await this.#turns.next()
          if (!draft.isWanted) return undefined
        }
        pieces.add(separator)
        pieces.add(content.write(item))
        separator = ','
      }
      pieces.add(items.length === 0 ? `${separator}]}` : ']}')
      const body = { index, ...pieces.end() }
      for (const out of draft.clients) this.#pending.add(out, body)
      return body
    } finally {
      // Nobody can join it from here on.
      if (this.#drafts.get(content.key) === draft) this.#drafts.delete(content.key)
    }
  }

  #candidates(candidates: Candidates | undefined): PeerView[] | undefined {
    if (candidates?.index !== this.#presence.index) return undefined
    return [...candidates.ids].flatMap((id) => this.#presence.get(id) ?? [])
  }
}

/** A list that is being written, and the clients that wait for it. */
class Draft {
  readonly clients = new Set<ServerResponse>()
  /** The index that the list is of. Undefined while its peers are being read. */
  index: number | undefined
  body: Promise<ListBody | undefined> = Promise.resolve(undefined)

  get isWanted(): boolean {
    return this.clients.size > 0
  }

  add(out: ServerResponse): void {
    if (out.destroyed) return
    this.clients.add(out)
    out.once('close', () => this.clients.delete(out))
  }
}

/** A piece has at least this many characters, so that few writes are needed. */
const PIECE_CHARACTERS = 512 * 1024

/** Collects texts, and encodes them in pieces. */
class Pieces {
  readonly #pieces: Buffer[] = []
  #bytes = 0
  #texts: string[] = []
  #characters = 0

  add(text: string): void {
    this.#texts.push(text)
    this.#characters += text.length
    if (this.#characters >= PIECE_CHARACTERS) this.#encode()
  }

  end(): { pieces: readonly Buffer[]; bytes: number } {
    this.#encode()
    return { pieces: this.#pieces, bytes: this.#bytes }
  }

  /** Writes each text to its place, which takes a third of the time of joining them first. */
  #encode(): void {
    const length = this.#texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0)
    const piece = Buffer.allocUnsafeSlow(length)
    let at = 0
    for (const text of this.#texts) at += piece.write(text, at)
    this.#pieces.push(piece)
    this.#bytes += length
    this.#texts = []
    this.#characters = 0
  }
}

/** A list of all peers may have 10 MB, and stays in memory until its client has taken it. This is the limit per transport. */
const MAX_PENDING_BYTES = 128 * 1024 * 1024

/** Limits the memory for answers that slow clients have not taken yet. A body that goes to many clients counts once. */
class PendingBytes {
  readonly #clients = new Map<ListBody, number>()
  #bytes = 0

  /** @throws TooBusy if the limit is reached */
  throwIfFull(): void {
    if (this.#bytes < MAX_PENDING_BYTES) return
    throw new TooBusy(`answers of ${Math.round(this.#bytes / 1_000_000)} MB that clients have not read`)
  }

  /** Counts a body until it is taken or its connection is closed. */
  add(out: ServerResponse, body: ListBody): void {
    if (out.destroyed) return
    const clients = this.#clients.get(body) ?? 0
    if (clients === 0) this.#bytes += body.bytes
    this.#clients.set(body, clients + 1)
    out.once('close', () => this.#release(body))
  }

  #release(body: ListBody): void {
    const clients = (this.#clients.get(body) ?? 1) - 1
    if (clients > 0) {
      this.#clients.set(body, clients)
    } else {
      this.#clients.delete(body)
      this.#bytes -= body.bytes
    }
  }
}

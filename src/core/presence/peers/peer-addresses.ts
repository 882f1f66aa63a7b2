import type { AddressOnInterface, DatagramSource } from '../../link.ts'
import type { PeerView } from './types.ts'

/** How many copies of its record are kept for a peer. A peer signs one copy for each of its networks. */
const MAX_COPIES = 8

/** A copy of the record as it was received from one address. The copies differ in the addresses that they name. */
interface RecordCopy {
  interface: string
  source: string
  addresses: string[]
  signature: string
  recordVersion: number
}

/** The address from which a peer was last heard on one path of one interface. */
interface HeardPath {
  source: DatagramSource
  /** Monotonic ms. */
  lastHeard: number
  /** A fresh beat came from this address. */
  isProven: boolean
}

/** The addresses of one peer: those that its signed record names, and those from which its datagrams come. */
export class PeerAddresses {
  /** One for each path of each interface. They are few, and every datagram looks for one: a map would be slower. */
  #paths: HeardPath[] = []
  #copies: RecordCopy[] = []
  /** `all` and `paths` since the last change of either. */
  #all: AddressOnInterface[] | undefined
  #pathViews: PeerView['paths'] | undefined

  /**
   * Each address that the record names, once per interface on which it was received. Proven addresses come first. The same
   * array as before while nothing has changed.
   */
  get all(): AddressOnInterface[] {
    this.#all ??= this.#provenFirst()
    return this.#all
  }

  /**
   * The addresses that the record names and that fresh beats have come from. A peer surely has these. Any other address is
   * only the peer's own statement.
   */
  get proven(): { address: string; interface: string }[] {
    const signed = new Set(this.#copies.flatMap(({ addresses }) => addresses))
    const proven = new Map<string, { address: string; interface: string }>()
    for (const { source, isProven } of this.#paths) {
      const { address, interface: name } = source
      if (isProven && signed.has(address)) proven.set(`${address} ${name}`, { address, interface: name })
    }
    return [...proven.values()]
  }

  /** All addresses in one text, for comparison. */
  get text(): string {
    return this.#signed()
      .map(({ address, interface: name }) => `${address} ${name}`)
      .sort()
      .join()
  }

  /** The paths on which the peer was heard. The same array as before while it was not heard again. */
  get paths(): PeerView['paths'] {
    this.#pathViews ??= this.#paths.map(({ source: { interface: name, path, address }, lastHeard }) => {
      return { interface: name, path, lastHeard, address }
    })
    return this.#pathViews
  }

  /** The newest source of each address from which the peer was heard: where to send a probe. */
  heardFrom(): DatagramSource[] {
    const sources = new Map<string, DatagramSource>()
    for (const { source } of this.#paths) sources.set(`${source.interface} ${source.address}`, source)
    return [...sources.values()]
  }

  /**
   * Notes that the peer was heard from an address. Ignores an address that the record never named: an attacker may replay the
   * peer's datagrams from there, and would be probed in its place. `isFresh`: the datagram was a fresh beat.
   * @returns whether this is the first fresh beat from this address on this path
   */
  heard(source: DatagramSource, now: number, isFresh: boolean): boolean {
    const known = this.#pathOf(source)
    const isSame = known?.source.address === source.address
    if (!isSame && !this.#isKnown(source)) return false
    const wasProven = isSame && known.isProven
    const heard = known ?? this.#addPath(source, now)
    heard.source = source
    heard.lastHeard = now
    heard.isProven = isFresh || wasProven
    this.#pathViews = undefined
    const isFirst = isFresh && !wasProven
    if (isFirst || !isSame) this.#all = undefined
    return isFirst
  }

  /** Whether a copy need not be stored: this version of the record is stored from this address already, or the list is full. */
  hasCopy(source: DatagramSource, recordVersion: number): boolean {
    const copies = this.#copies.filter((copy) => copy.recordVersion === recordVersion)
    return (
      copies.length >= MAX_COPIES ||
      copies.some((copy) => copy.interface === source.interface && copy.source === source.address)
    )
  }

  /** The addresses in the copy with this signature, if it is held. */
  signedBy(signature: string): string[] | undefined {
    return this.#copies.find((copy) => copy.signature === signature)?.addresses
  }

  /**
   * Adds a copy of the record. It replaces older copies from the same network of the peer. Two copies are from the same
   * network if they were received on one interface, and came from one address or name a common address.
   */
  addCopy(source: DatagramSource, addresses: string[], signature: string, recordVersion: number): void {
    const isReplaced = (old: RecordCopy) =>
      old.recordVersion !== recordVersion &&
      old.interface === source.interface &&
      (old.source === source.address || old.addresses.some((address) => addresses.includes(address)))
    this.#copies = this.#copies.filter((old) => !isReplaced(old)).slice(1 - MAX_COPIES)
    this.#copies.push({ interface: source.interface, source: source.address, addresses, signature, recordVersion })
    this.#all = undefined
  }

  /** Drops the copies of all other record versions. */
  keepCopiesOf(recordVersion: number): void {
    this.#copies = this.#copies.filter((copy) => copy.recordVersion === recordVersion)
    this.#all = undefined
  }

  dropCopies(): void {
    this.#copies = []
    this.#all = undefined
  }

  /** Drops what was received on an interface that is no longer in use. Returns whether the addresses may have changed. */
  forgetInterface(name: string): boolean {
    this.#paths = this.#paths.filter(({ source }) => source.interface !== name)
    const before = this.#copies.length
    this.#copies = this.#copies.filter((copy) => copy.interface !== name)
    this.#all = undefined
    this.#pathViews = undefined
    return this.#copies.length !== before
  }

  #provenFirst(): AddressOnInterface[] {
    const signed = this.#signed()
    if (signed.length < 2) return signed
    const proven = new Set(this.proven.map(({ address }) => address))
    return signed.sort((a, b) => Number(proven.has(b.address)) - Number(proven.has(a.address)))
  }

  /** A loop: this is done for every beat. */
  #pathOf({ path, interface: name }: DatagramSource): HeardPath | undefined {
    for (const each of this.#paths) if (each.source.path === path && each.source.interface === name) return each
    return undefined
  }

  #addPath(source: DatagramSource, now: number): HeardPath {
    const heard = { source, lastHeard: now, isProven: false }
    this.#paths.push(heard)
    return heard
  }

  #signed(): AddressOnInterface[] {
    const addresses = new Map<string, AddressOnInterface>()
    for (const copy of this.#copies) {
      for (const address of copy.addresses) {
        const family = address.includes(':') ? 'ipv6' : 'ipv4'
        addresses.set(`${address} ${copy.interface}`, { address, family, interface: copy.interface })
      }
    }
    return [...addresses.values()]
  }

  /** Whether the record names the address, or the peer was heard from there on another path of the interface. */
  #isKnown({ interface: name, address }: DatagramSource): boolean {
    return (
      this.#copies.some(({ addresses }) => addresses.includes(address)) ||
      this.#paths.some(({ source }) => source.interface === name && source.address === address)
    )
  }
}

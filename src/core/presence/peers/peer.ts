import { isPresent, type PeerState } from '../../../shared/peer-state.ts'
import type { Plans } from '../../agenda.ts'
import type { DatagramSource } from '../../link.ts'
import { type Beat, type ChainLink, ChainStep, type PeerId, type PeerRecord, readDigest } from '../../wire/index.ts'
import { Flapping } from './flapping.ts'
import { Reception } from './reception.ts'
import type { OfferedService, PeerView } from './types.ts'

const HISTORY = 16
/** Copies of one record kept: a peer signs one for each of its networks. */
export const MAX_COPIES = 8
/** Signatures of records in its name that are checked for each of its fresh beats, whatever others have used up. */
const CHECKS_PER_BEAT = 16

/** Services that mDNS hosts at a peer's addresses offer. */
export interface MdnsServices {
  services: OfferedService[]
  /** Their size as JSON. */
  bytes: number
}

/** A record as it came in by one way: the addresses in it are those of that network. */
interface Copy {
  interface: string
  source: string
  addresses: string[]
  signature: string
  recordVersion: number
}

/** What is to be done with a peer later; `verdict`: to judge whether it lives. */
export type PeerTask = 'verdict' | 'probe' | 'forget' | 'drop-old-copies' | 'settle'

interface HeardPath {
  where: DatagramSource
  lastHeard: number
  /** A fresh beat came from there. */
  isProven: boolean
}

/** What is known of one peer. Keeps the facts; the rules are elsewhere. */
export class Peer {
  readonly id: PeerId
  readonly firstSeen: number
  /** The address that the record came from which made it known. */
  readonly source: string
  /** It has proven to be there, once at least: a record alone may be a recording, or one of thousands that are made up. */
  hasBeaten = false
  /** All are cancelled when the registry drops it. */
  readonly plans: Plans<PeerTask>
  readonly flapping = new Flapping()
  state: PeerState = 'alive'
  incarnation = 0
  recordVersion = 0
  record: PeerRecord
  recordBytes = 0
  /** The record as it was signed: public key, signature and bytes. */
  signed: Uint8Array | undefined
  lastSeen: number
  /** The newest proven position of its chain, and when it was proven; no time yet when it comes from a record. */
  link: ChainLink = { sequence: 0, value: new Uint8Array() }
  provenAt: number | undefined
  step: ChainStep
  rtt: number | undefined
  /** Services that mDNS adds to those in the record. */
  mdnsServices: MdnsServices = { services: [], bytes: 0 }
  /** Whether the peer was present in its newest event, and the services that it offered then. */
  announced: { isPresent: boolean; services: OfferedService[] } = { isPresent: false, services: [] }
  /** The services in its newest `peer-damped` entry, if that is newer than its newest event. */
  dampedServices: OfferedService[] | undefined
  readonly #paths = new Map<string, HeardPath>()
  #copies: Copy[] = []
  #reception = new Reception()
  #signatureChecks = 0
  #history: { at: number; state: PeerState }[] = []

  constructor(id: PeerId, record: PeerRecord, plans: Plans<PeerTask>, source: string, now: number) {
    this.id = id
    this.plans = plans
    this.source = source
    this.record = record
    this.firstSeen = now
    this.lastSeen = now
    this.step = new ChainStep(id, 0)
    this.#history.push({ at: now, state: 'alive' })
  }

  /** A new incarnation: what was counted and proven of the last one is void. */
  begin(incarnation: number): void {
    this.incarnation = incarnation
    this.step = new ChainStep(this.id, incarnation)
    this.link = { sequence: -1, value: new Uint8Array() }
    this.provenAt = undefined
    this.#reception = new Reception()
    this.#copies = []
  }

  /** A record whose signature has been checked. */
  hold(record: PeerRecord, recordVersion: number, bytes: number): void {
    this.record = record
    this.recordBytes = bytes
    this.recordVersion = recordVersion
    this.setAnchor(record.anchor)
  }

  /** The anchor of a record whose signature has been checked: beats are proven from there on, if that is ahead. */
  setAnchor({ sequence, value }: PeerRecord['anchor']): void {
    if (sequence <= this.link.sequence) return
    this.link = { sequence, value: readDigest(value) }
    this.provenAt = undefined
  }

  /** Whether a copy came in this way already, or there is no room for one more. */
  hasCopy(where: DatagramSource): boolean {
    const copies = this.#copies.filter(({ recordVersion }) => recordVersion === this.recordVersion)
    return (
      copies.length >= MAX_COPIES ||
      copies.some((copy) => copy.interface === where.interface && copy.source === where.address)
    )
  }

  /** The addresses in a copy with this very signature, if there is one. */
  addressesSignedBy(signature: string): string[] | undefined {
    return this.#copies.find((copy) => copy.signature === signature)?.addresses
  }

  /** Takes the place of the older copies from the same interface of the peer: any two of it have an address in common. */
  addCopy(where: DatagramSource, addresses: string[], signature: string): void {
    const { recordVersion } = this
    const isReplaced = (old: Copy) =>
      old.recordVersion !== recordVersion &&
      old.interface === where.interface &&
      (old.source === where.address || old.addresses.some((address) => addresses.includes(address)))
    this.#copies = this.#copies.filter((old) => !isReplaced(old)).slice(-MAX_COPIES)
    this.#copies.push({ interface: where.interface, source: where.address, addresses, signature, recordVersion })
  }

  /** How many beats to everyone were heard in this incarnation. */
  get beats(): number {
    return this.#reception.heard
  }

  /** Drops the copies of older records that no newer one took the place of. */
  dropOldCopies(): void {
    this.#copies = this.#copies.filter(({ recordVersion }) => recordVersion === this.recordVersion)
  }

  /** Those of its record, and while it is there those that mDNS tells of beside them. */
  get services(): OfferedService[] {
    const { services } = this.record
    if (this.mdnsServices.services.length === 0 || !isPresent(this)) return services
    const ids = new Set(services.map(({ id }) => id))
    const places = new Set(services.map(placeOf))
    return [...services, ...this.mdnsServices.services.filter((one) => !ids.has(one.id) && !places.has(placeOf(one)))]
  }

  /** Each once for every interface that it was told on: those first that its beats come from. */
  get addresses(): PeerView['addresses'] {
    const proven = new Set(this.provenAddresses.map(({ address }) => address))
    return this.#signedAddresses().sort((a, b) => Number(proven.has(b.address)) - Number(proven.has(a.address)))
  }

  /** The addresses that its beats come from, as far as its record names them: what it has, rather than what it says. */
  get provenAddresses(): { address: string; interface: string }[] {
    const signed = new Set(this.#copies.flatMap(({ addresses }) => addresses))
    const places = new Map<string, { address: string; interface: string }>()
    for (const { where, isProven } of this.#paths.values()) {
      const { address, interface: name } = where
      if (isProven && signed.has(address)) places.set(`${address} ${name}`, { address, interface: name })
    }
    return [...places.values()]
  }

  #signedAddresses(): PeerView['addresses'] {
    const addresses = new Map<string, PeerView['addresses'][number]>()
    for (const copy of this.#copies) {
      for (const address of copy.addresses) {
        const family = address.includes(':') ? 'ipv6' : 'ipv4'
        addresses.set(`${address} ${copy.interface}`, { address, family, interface: copy.interface })
      }
    }
    return [...addresses.values()]
  }

  /** Its addresses in one text, to compare. */
  get addressText(): string {
    const texts = this.addresses.map(({ address, interface: through }) => `${address} ${through}`)
    return texts.sort().join()
  }

  /** Drops what was learnt through an interface that has gone. True when its addresses have changed by that. */
  forgetInterface(name: string): boolean {
    for (const [key, { where }] of this.#paths) if (where.interface === name) this.#paths.delete(key)
    const before = this.#copies.length
    this.#copies = this.#copies.filter((copy) => copy.interface !== name)
    return this.#copies.length !== before
  }

  /**
   * Passed over when it never signed the source as its address: a stranger may play its words again, and is not to be
   * probed in its place. `isFresh`: it was a fresh beat. True when it is the first one from there.
   */
  heardOn(where: DatagramSource, now: number, isFresh: boolean): boolean {
    const key = `${where.interface} ${where.path}`
    const known = this.#paths.get(key)
    const isSame = known?.where.address === where.address
    if (!isSame && !this.#isAt(where)) return false
    const wasProven = isSame && known.isProven
    this.#paths.set(key, { where, lastHeard: now, isProven: isFresh || wasProven })
    return isFresh && !wasProven
  }

  /** Whether its newest beat, heard once more, can be its own copy on another path: those come together, and never by unicast. */
  isCopy(where: DatagramSource, now: number): boolean {
    return where.path !== 'unicast' && this.provenAt !== undefined && now - this.provenAt <= this.record.interval
  }

  /** Where it was last heard, each address once: where to look for it. */
  heardFrom(): DatagramSource[] {
    const known = new Map<string, DatagramSource>()
    for (const { where } of this.#paths.values()) known.set(`${where.interface} ${where.address}`, where)
    return [...known.values()]
  }

  /** A beat that was proven fresh. */
  beat(beat: Beat, now: number): void {
    this.link = { sequence: beat.sequence, value: Uint8Array.from(beat.reveal) }
    this.provenAt = now
    this.lastSeen = now
    this.hasBeaten = true
    this.#signatureChecks = CHECKS_PER_BEAT
    if (beat.echo === 0) this.#reception.take(beat, now)
  }

  /** Takes one of the signature checks that its newest beat has given it, which nobody but the peer itself could say. */
  takeSignatureCheck(): boolean {
    if (this.#signatureChecks === 0) return false
    this.#signatureChecks--
    return true
  }

  enter(state: PeerState, now: number): void {
    this.state = state
    this.#history.push({ at: now, state })
    if (this.#history.length > HISTORY) this.#history.shift()
  }

  view(): PeerView {
    const { record } = this
    return {
      id: this.id,
      name: record.name,
      state: this.state,
      source: 'beacon',
      hostname: record.hostname,
      addresses: this.addresses,
      services: this.services,
      attributes: record.attributes,
      version: record.version,
      incarnation: this.incarnation,
      recordVersion: this.recordVersion,
      interval: record.interval,
      firstSeen: this.firstSeen,
      lastSeen: this.lastSeen,
      paths: [...this.#paths.values()].map(({ where, lastHeard }) => ({
        interface: where.interface,
        path: where.path,
        lastHeard,
        address: where.address,
      })),
      beacons: { heard: this.#reception.heard, lost: this.#reception.lost },
      jitter: this.#reception.jitter,
      rtt: this.rtt,
      flapping: this.flapping.flapping,
      history: [...this.#history],
    }
  }

  /** Whether it was found at that address already, or says in a record that it is there. */
  #isAt({ interface: name, address }: DatagramSource): boolean {
    return (
      this.#copies.some(({ addresses }) => addresses.includes(address)) ||
      Array.from(this.#paths.values()).some(({ where }) => where.interface === name && where.address === address)
    )
  }
}

/** Two services of one type and port are one. */
function placeOf({ type, port }: OfferedService): string {
  return `${type.toLowerCase()} ${port}`
}

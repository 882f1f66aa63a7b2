import {
  type Attributes,
  type Beat,
  type Bye,
  CHAIN_LENGTH,
  DIGEST_BYTES,
  goodbyeCommitment,
  HashChain,
  type Identity,
  type PeerId,
  type PeerRecord,
  type Probe,
  type Query,
  type RecordPart,
  type Service,
  type SignedRecord,
  seal,
  split,
  writeDigest,
} from '../wire/index.ts'
import type { Chance, Interface } from './types.ts'

const MOST_ADDRESSES = 32

/** What this daemon says of itself. */
export interface Profile {
  name: string
  hostname: string
  /** Of the software. */
  version: string
  services: Service[]
  attributes: Attributes
}

/** This daemon as a peer: its identity, record and chain, and the messages that it alone can write. */
export class Self {
  readonly #chance: Chance
  #identity: Identity
  #incarnation: number
  #profile: Profile
  #interval: number
  #recordVersion = 1
  #chain: HashChain
  #secret: Uint8Array
  #goodbye: string
  #beats = 0
  /** The signed record, one copy for each interface that asked for it. */
  #sealed = new Map<string, SignedRecord>()

  /** Throws RangeError when the record would be too large. */
  constructor(identity: Identity, incarnation: number, profile: Profile, interval: number, chance: Chance) {
    this.#identity = identity
    this.#incarnation = incarnation
    this.#profile = profile
    this.#interval = interval
    this.#chance = chance
    this.#chain = this.#newChain(0)
    this.#secret = chance.bytes(DIGEST_BYTES)
    this.#goodbye = this.#commitment()
    this.#check(profile)
  }

  get id(): PeerId {
    return this.#identity.id
  }
  get incarnation(): number {
    return this.#incarnation
  }
  get profile(): Profile {
    return this.#profile
  }
  get interval(): number {
    return this.#interval
  }
  get recordVersion(): number {
    return this.#recordVersion
  }
  get goodbye(): string {
    return this.#goodbye
  }
  /** How many beats were said to everyone. */
  get beats(): number {
    return this.#beats
  }
  /** The last position of the chain that was revealed. */
  get sequence(): number {
    return this.#chain.anchor.sequence
  }

  /** Throws RangeError, and changes nothing, when the record would become too large. */
  describe(profile: Profile): void {
    this.#check(profile)
    this.#profile = profile
    this.#revise()
  }

  beatEvery(interval: number): void {
    this.#interval = interval
    this.#revise()
  }

  /** Addresses have changed: the record is signed anew. */
  readdress(): void {
    this.#revise()
  }

  become(identity: Identity, incarnation: number): void {
    this.#identity = identity
    this.#incarnation = incarnation
    this.#chain = this.#newChain(0)
    this.#secret = this.#chance.bytes(DIGEST_BYTES)
    this.#goodbye = this.#commitment()
    this.#beats = 0
    this.#recordVersion = 1
    this.#sealed.clear()
  }

  /** The next beat: to everyone, or the answer to a probe when `echo` is its nonce. A chain that ran out is replaced, which makes a new record. */
  beat(now: number, echo = 0): Beat {
    let link = this.#chain.next()
    if (!link) {
      // One number is left out, so that the new anchor lies ahead of all that was heard.
      this.#chain = this.#newChain(this.sequence + 1)
      this.#revise()
      link = this.#chain.next()
      if (!link) throw new Error('a new chain is empty')
    }
    if (echo === 0) this.#beats++
    return {
      type: 'beat',
      ...this.#header(),
      recordVersion: this.#recordVersion,
      echo,
      number: this.#beats,
      sent: Math.floor(now) >>> 0,
      reveal: link.value,
    }
  }

  /** The record for an interface's network, in parts. */
  recordFor(network: Interface): RecordPart[] {
    const { recordVersion, joined } = this.#signed(network)
    const parts = split(joined)
    return parts.map((bytes, part) => ({
      type: 'record',
      ...this.#header(),
      part,
      parts: parts.length,
      recordVersion,
      bytes,
    }))
  }

  query(ids: PeerId[]): Query {
    return { type: 'query', ...this.#header(), nonce: this.#nonce(), ids }
  }

  probe(target: PeerId): Probe {
    return { type: 'probe', ...this.#header(), nonce: this.#nonce(), target }
  }

  bye(): Bye {
    return { type: 'bye', ...this.#header(), secret: this.#secret }
  }

  #header() {
    return { path: 'unicast', id: this.id, incarnation: this.#incarnation, sequence: this.sequence } as const
  }

  /** Never 0, which in a beat means that nothing is answered. */
  #nonce(): number {
    return 1 + Math.floor(this.#chance.number() * 0xfffffffe)
  }

  #signed(network: Interface): SignedRecord {
    let signed = this.#sealed.get(network.name)
    if (!signed) {
      const addresses = network.addresses.map(({ address }) => address).slice(0, MOST_ADDRESSES)
      signed = seal(this.#identity, this.#incarnation, this.#recordVersion, this.#record(addresses))
      this.#sealed.set(network.name, signed)
    }
    return signed
  }

  /** With as many addresses as there may ever be, so that no later change of network makes it too large. */
  #check(profile: Profile): void {
    const longest = new Array<string>(MOST_ADDRESSES).fill('f'.repeat(45))
    seal(this.#identity, this.#incarnation, this.#recordVersion, this.#record(longest, profile))
  }

  #record(addresses: string[], profile = this.#profile): PeerRecord {
    const { sequence, value } = this.#chain.anchor
    return {
      ...profile,
      addresses,
      interval: this.#interval,
      anchor: { sequence, value: writeDigest(value) },
      goodbye: this.#goodbye,
    }
  }

  #revise(): void {
    this.#recordVersion++
    this.#sealed.clear()
  }

  #newChain(base: number): HashChain {
    return new HashChain(this.id, this.#incarnation, base, this.#chance.bytes(DIGEST_BYTES), CHAIN_LENGTH)
  }

  #commitment(): string {
    return writeDigest(goodbyeCommitment(this.id, this.#incarnation, this.#secret))
  }
}

import { isIpAddress } from '../../address.ts'
import type { Interface } from '../../link.ts'
import type { Random } from '../../random.ts'
import { CHAIN_LENGTH, DIGEST_BYTES, encodeDigest, HashChain } from '../../wire/hash-chain.ts'
import type { PeerId } from '../../wire/id.ts'
import { goodbyeCommitment, type Identity } from '../../wire/identity.ts'
import { type Beat, type Bye, PART_BYTES, type Probe, type Query, type RecordPart } from '../../wire/messages.ts'
import {
  type Attributes,
  checkRecord,
  type PeerRecord,
  type Service,
  type SignedRecord,
  signRecord,
  splitRecord,
} from '../../wire/record.ts'

const MAX_ADDRESSES = 32
/** A copy of the record is signed again, with a newer anchor, after this at the earliest, ms. */
const SIGN_EVERY = 2000
/**
 * A copy in several parts stays the same for this long after it was said, ms: receivers join parts of one version, and
 * wait 2 s for a missing one.
 */
const STABLE_FOR = 3000
/** Positions of the chain by which the anchor may be behind before a copy in several parts is held back for a newer one. */
const OLD_ANCHOR = 64

/** Goodbye commitments of earlier incarnations that are remembered. */
const MAX_COMMITMENTS = 16

/** The signed record for one network. All times are monotonic ms. */
interface Copy {
  signed: SignedRecord
  /** Position of its anchor. */
  position: number
  signedAt: number
  sentAt: number
}

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
  readonly #random: Random
  #identity: Identity
  #incarnation: number
  #profile: Profile
  #interval: number
  #recordVersion = 1
  #chain: HashChain
  #secret: Uint8Array
  #goodbye: string
  /** Of the incarnations begun since the start, this one's included. */
  #commitments: string[] = []
  #supersedes: string | undefined
  #beats = 0
  /** By interface, of the present record version. */
  readonly #copies = new Map<string, Copy>()

  /** @throws InvalidRecord when other peers would reject the record, or it would be larger than 16 KiB */
  constructor(identity: Identity, incarnation: number, profile: Profile, interval: number, random: Random) {
    this.#identity = identity
    this.#incarnation = incarnation
    this.#profile = profile
    this.#interval = interval
    this.#random = random
    this.#chain = this.#newChain(0)
    this.#secret = random.bytes(DIGEST_BYTES)
    this.#goodbye = this.#commit()
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

  /** @throws InvalidRecord as the constructor does; then nothing has changed */
  setProfile(profile: Profile): void {
    this.#check(profile)
    this.#profile = profile
    this.#revise()
  }

  setBeatInterval(interval: number): void {
    this.#interval = interval
    this.#revise()
  }

  /** Addresses have changed: the record is signed anew. */
  addressesChanged(): void {
    this.#revise()
  }

  /** Goes on under another identity. */
  setIdentity(identity: Identity, incarnation: number): void {
    this.#identity = identity
    this.startIncarnation(incarnation)
  }

  /** Begins a higher incarnation. `supersedes` is the goodbye commitment in the record of our own key that gave cause. */
  startIncarnation(incarnation: number, supersedes?: string): void {
    this.#incarnation = incarnation
    this.#supersedes = supersedes
    this.#chain = this.#newChain(0)
    this.#secret = this.#random.bytes(DIGEST_BYTES)
    this.#goodbye = this.#commit()
    this.#beats = 0
    this.#recordVersion = 1
    this.#copies.clear()
  }

  /** Whether this is the goodbye commitment of this incarnation, or of an earlier one since the start. */
  hasCommittedTo(commitment: string): boolean {
    return this.#commitments.includes(commitment)
  }

  /** Whether the next beat is the last of its chain: it goes to everyone, and the record with the new chain right behind it. */
  get nextBeatEndsChain(): boolean {
    return this.#chain.remaining === 1
  }

  /** Takes a new chain, when the last beat of the old one was made. That makes a new record, which the next beat follows from. */
  renewChain(): void {
    // One number is left out, so that the new anchor lies ahead of all that was heard.
    this.#chain = this.#newChain(this.sequence + 1)
    this.#revise()
  }

  /** The next beat: to everyone, or the answer to a probe when `echo` is its nonce. Throws when the chain is spent. */
  beat(now: number, echo = 0): Beat {
    const link = this.#chain.next()
    if (!link) throw new Error('the hash chain is spent: it has to be renewed first')
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

  /**
   * The record for an interface's network, in parts, to be said now. Its anchor is recent, so that a newcomer has few
   * positions to hash over.
   */
  recordFor(network: Interface, now: number): RecordPart[] {
    const copy = this.#copyFor(network, now)
    copy.sentAt = now
    const { recordVersion, joined } = copy.signed
    const parts = splitRecord(joined)
    return parts.map((bytes, part) => ({
      type: 'record',
      ...this.#header(),
      part,
      parts: parts.length,
      recordVersion,
      bytes,
    }))
  }

  /** When this version of the record was last said on that network, monotonic ms. */
  lastSentAt(network: Interface): number {
    return this.#copies.get(network.name)?.sentAt ?? Number.NEGATIVE_INFINITY
  }

  /** Until when to wait with an answer, monotonic ms, so that a copy with an old anchor can be signed again; the past when there is no need. */
  stableUntil(network: Interface): number {
    const copy = this.#copies.get(network.name)
    if (!copy || isOnePart(copy) || this.sequence - copy.position <= OLD_ANCHOR) return Number.NEGATIVE_INFINITY
    return copy.sentAt + STABLE_FOR
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
    return 1 + Math.floor(this.#random.number() * 0xfffffffe)
  }

  #copyFor(network: Interface, now: number): Copy {
    const held = this.#copies.get(network.name)
    if (held && (held.position === this.sequence || now < this.#signAgainAt(held))) return held
    const addresses = network.addresses
      .map(({ address }) => address)
      .filter(isIpAddress)
      .slice(0, MAX_ADDRESSES)
    const signed = signRecord(this.#identity, this.#incarnation, this.#recordVersion, this.#record(addresses))
    const copy = { signed, position: this.sequence, signedAt: now, sentAt: now }
    this.#copies.set(network.name, copy)
    return copy
  }

  #signAgainAt(copy: Copy): number {
    return isOnePart(copy) ? copy.signedAt + SIGN_EVERY : copy.sentAt + STABLE_FOR
  }

  /** With as many addresses as there may ever be, so that no later change of network makes it too large. */
  #check(profile: Profile): void {
    const longest = new Array<string>(MAX_ADDRESSES).fill('f'.repeat(45))
    checkRecord(this.#record(longest, profile))
  }

  #record(addresses: string[], profile = this.#profile): PeerRecord {
    const { sequence, value } = this.#chain.anchor
    return {
      ...profile,
      addresses,
      interval: this.#interval,
      anchor: { sequence, value: encodeDigest(value) },
      goodbye: this.#goodbye,
      ...(this.#supersedes === undefined ? {} : { supersedes: this.#supersedes }),
    }
  }

  #revise(): void {
    this.#recordVersion++
    this.#copies.clear()
  }

  #newChain(base: number): HashChain {
    return new HashChain(this.id, this.#incarnation, base, this.#random.bytes(DIGEST_BYTES), CHAIN_LENGTH)
  }

  #commit(): string {
    const commitment = encodeDigest(goodbyeCommitment(this.id, this.#incarnation, this.#secret))
    this.#commitments = [...this.#commitments, commitment].slice(-MAX_COMMITMENTS)
    return commitment
  }
}

function isOnePart({ signed }: Copy): boolean {
  return signed.joined.length <= PART_BYTES
}

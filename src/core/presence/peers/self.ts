import { isIpAddress } from '../../address.ts'
import type { Interface } from '../../link.ts'
import type { Random } from '../../random.ts'
import { CHAIN_LENGTH, DIGEST_BYTES, encodeDigest, HashChain } from '../../wire/hash-chain.ts'
import type { PeerId } from '../../wire/id.ts'
import { goodbyeCommitment, type Identity } from '../../wire/identity.ts'
import { type Beat, type Bye, PART_BYTES, type Probe, type Query, type RecordPart } from '../../wire/messages.ts'
import { checkRecord, type SignedRecord, signRecord, splitRecord } from '../../wire/record.ts'
import type { Attributes, PeerRecord, Service } from '../../wire/record-schema.ts'

const MAX_ADDRESSES = 32
/** A copy of the record is signed again, with a newer anchor, after this time at the earliest, in ms. */
const SIGN_INTERVAL = 2000
/**
 * A copy in several parts stays unchanged for this time after it was sent, in ms. Receivers reassemble the parts of one copy
 * and wait 2 s for a missing part.
 */
const STABLE_FOR = 3000
/**
 * If the anchor of a copy in several parts is more chain positions behind than this, answers wait until the copy can be signed
 * again.
 */
const OLD_ANCHOR = 64

/** How many goodbye commitments of earlier incarnations are remembered. */
const MAX_COMMITMENTS = 16

/** The signed record for one network. All times are monotonic ms. */
interface Copy {
  signed: SignedRecord
  /** Position of its anchor. */
  position: number
  signedAt: number
  sentAt: number
}

/** What the user of this peer decides about its record. */
export interface Profile {
  name: string
  hostname: string
  /** The version of the software. */
  version: string
  services: Service[]
  attributes: Attributes
}

/** This daemon as a peer: its identity, record and hash chain. Creates its messages. */
export class Self {
  readonly #random: Random
  #identity: Identity
  #incarnation: number
  #profile: Profile
  #interval: number
  #recordVersion = 1
  /** The version that was sent last. Beats name it, so that no peer asks for a version that will be sent anyway. */
  #sentVersion = 1
  #chain: HashChain
  #secret: Uint8Array
  #goodbye: string
  /** The goodbye commitments of the incarnations since the start of the daemon, including the present one. */
  #commitments: string[] = []
  #supersedes: string | undefined
  #beats = 0
  /** The signed copies of the present record version, by interface name. */
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
    this.#goodbye = this.#newCommitment()
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
  /** The number of beats in this incarnation, without answers to probes. */
  get beats(): number {
    return this.#beats
  }
  /** The position of the hash chain that was revealed last. */
  get sequence(): number {
    return this.#chain.anchor.sequence
  }

  /** @throws InvalidRecord as the constructor does; then nothing has changed */
  setProfile(profile: Profile): void {
    this.#check(profile)
    this.#profile = profile
    this.#newVersion()
  }

  setBeatInterval(interval: number): void {
    this.#interval = interval
    this.#newVersion()
  }

  /** Makes a new record version because the addresses have changed. */
  addressesChanged(): void {
    this.#newVersion()
  }

  /** Continues with another identity. */
  setIdentity(identity: Identity, incarnation: number): void {
    this.#identity = identity
    this.startIncarnation(incarnation)
  }

  /**
   * Starts a higher incarnation. If a received record with this peer's key is the reason, `supersedes` is the goodbye
   * commitment in that record.
   */
  startIncarnation(incarnation: number, supersedes?: string): void {
    this.#incarnation = incarnation
    this.#supersedes = supersedes
    this.#chain = this.#newChain(0)
    this.#secret = this.#random.bytes(DIGEST_BYTES)
    this.#goodbye = this.#newCommitment()
    this.#beats = 0
    this.#recordVersion = 1
    this.#sentVersion = 1
    this.#copies.clear()
  }

  /** Whether this is the goodbye commitment of the present incarnation, or of an earlier one since the start. */
  hasCommittedTo(commitment: string): boolean {
    return this.#commitments.includes(commitment)
  }

  /** Whether the next beat is the last of its chain. It must go to every peer, directly followed by the record with a new chain. */
  get nextBeatEndsChain(): boolean {
    return this.#chain.remaining === 1
  }

  /** Replaces the hash chain after its last beat. This makes a new record version. */
  renewChain(): void {
    // The new chain starts one position later, so that its anchor is ahead of every beat that was sent.
    this.#chain = this.#newChain(this.sequence + 1)
    this.#newVersion()
  }

  /** The next beat. If `echo` is the nonce of a probe, the beat answers it. Throws if the hash chain has ended. */
  beat(now: number, echo = 0): Beat {
    const link = this.#chain.next()
    if (!link) throw new Error('the hash chain has ended: renew it first')
    if (echo === 0) this.#beats++
    return {
      type: 'beat',
      ...this.#header(),
      recordVersion: this.#sentVersion,
      echo,
      number: this.#beats,
      sent: Math.floor(now) >>> 0,
      reveal: link.value,
    }
  }

  /**
   * The record for the network of an interface, in parts, to be sent now. Its anchor is recent, so that a new peer has to
   * compute only few hash steps.
   */
  recordFor(network: Interface, now: number): RecordPart[] {
    const copy = this.#copyFor(network, now)
    copy.sentAt = now
    const { recordVersion, joined } = copy.signed
    this.#sentVersion = recordVersion
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

  /** When this version of the record was last sent on the network of an interface, in monotonic ms; -Infinity if never. */
  lastSentAt(network: Interface): number {
    return this.#copies.get(network.name)?.sentAt ?? Number.NEGATIVE_INFINITY
  }

  /** Until when to delay an answer so that a copy with an old anchor can be signed again, in monotonic ms; -Infinity if not at all. */
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

  /** A random nonce. Never 0: in a beat that means that it answers no probe. */
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
    return isOnePart(copy) ? copy.signedAt + SIGN_INTERVAL : copy.sentAt + STABLE_FOR
  }

  /** Checks the record with the maximum number of addresses, so that no change of addresses makes it too large later. */
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

  #newVersion(): void {
    this.#recordVersion++
    this.#copies.clear()
  }

  #newChain(base: number): HashChain {
    return new HashChain(this.id, this.#incarnation, base, this.#random.bytes(DIGEST_BYTES), CHAIN_LENGTH)
  }

  #newCommitment(): string {
    const commitment = encodeDigest(goodbyeCommitment(this.id, this.#incarnation, this.#secret))
    this.#commitments = [...this.#commitments, commitment].slice(-MAX_COMMITMENTS)
    return commitment
  }
}

function isOnePart({ signed }: Copy): boolean {
  return signed.joined.length <= PART_BYTES
}

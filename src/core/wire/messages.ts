import type { Path } from '../link.ts'
import type { PeerId } from './id.ts'

/** The first two bytes of every unencrypted datagram, `ES`. */
export const MAGIC = 0x4553
export const VERSION = 1
export const HEADER_BYTES = 32
/** The largest UDP payload that is sent. It is never fragmented, since the minimum MTU of IPv6 is 1,280 (RFC 8200, section 5). */
export const MAX_DATAGRAM_BYTES = 1200

export const BEAT_BODY_BYTES = 32
export const RECORD_PREFIX_BYTES = 8
export const QUERY_PREFIX_BYTES = 4
export const BYE_BODY_BYTES = 16
export const PROBE_BODY_BYTES = 20

/** Bytes of a signed record in one RECORD datagram. Every part but the last has exactly this size. */
export const PART_BYTES = MAX_DATAGRAM_BYTES - HEADER_BYTES - RECORD_PREFIX_BYTES
/** The public key and the signature, which stand before the record's JSON. */
export const KEY_AND_SIGNATURE_BYTES = 32 + 64
export const MAX_RECORD_BYTES = 16 * 1024
export const MAX_PARTS = Math.ceil((KEY_AND_SIGNATURE_BYTES + MAX_RECORD_BYTES) / PART_BYTES)
export const MAX_QUERY_IDS = 64
/** Shortest and longest beat interval, ms. */
export const MIN_INTERVAL = 100
export const MAX_INTERVAL = 3_600_000
/** What a key of a TXT record or of an attribute must match. */
export const KEY_PATTERN = '^(?!__proto__$)[!-~]{1,64}$'
/** An incarnation is a u32. */
export const MAX_INCARNATION = 0xffffffff

/** The number of a path in the header is its index here. */
export const PATHS = ['unicast', 'broadcast', 'multicast4', 'multicast6'] as const satisfies readonly Path[]

interface Header {
  /** The path on which the sender sent it. No proof covers it, so it is only a hint. */
  path: Path
  id: PeerId
  /** Higher at every start of the daemon: at least the seconds since 1970 at the start (u32). */
  incarnation: number
  /** The position in the hash chain (u32): in a BEAT, the one it reveals; in other messages, the last one revealed. */
  sequence: number
}

/** «I am alive». The revealed value of the hash chain proves it. */
export interface Beat extends Header {
  type: 'beat'
  /** The version of the record that the sender sent last. */
  recordVersion: number
  /** The nonce of the PROBE that this beat answers, or 0. */
  echo: number
  /** How many beats were sent on the shared paths in this incarnation, without answers to probes. Gaps are lost beats. */
  number: number
  /** The sender's monotonic clock, ms modulo 2^32. The receiver computes the jitter from it (RFC 3550). */
  sent: number
  reveal: Uint8Array
}

/** One part of a signed record. */
export interface RecordPart extends Header {
  type: 'record'
  part: number
  parts: number
  recordVersion: number
  bytes: Uint8Array
}

/** A request for records: those of the named peers, or of all peers if none is named. */
export interface Query extends Header {
  type: 'query'
  nonce: number
  ids: PeerId[]
}

/** «I am leaving». The secret proves it: the record contains a commitment to it. */
export interface Bye extends Header {
  type: 'bye'
  secret: Uint8Array
}

/** «Are you there?», to one peer. */
export interface Probe extends Header {
  type: 'probe'
  nonce: number
  target: PeerId
}

export type Message = Beat | RecordPart | Query | Bye | Probe
export type MessageType = Message['type']
export const MESSAGE_TYPES = ['beat', 'record', 'query', 'bye', 'probe'] as const satisfies readonly MessageType[]
/** The number of each type in the header. */
export const TYPE_NUMBERS = { beat: 1, record: 2, query: 3, bye: 4, probe: 5 } as const satisfies Record<
  MessageType,
  number
>

/** The reasons to refuse a datagram. `earshot status` shows how often each occurred. */
export const REFUSALS = {
  'too-short': 'shorter than the header or body',
  'too-long': 'longer than the longest body',
  'not-earshot': 'no magic number at the start',
  'unknown-version': 'a protocol version that is not supported',
  'unknown-type': 'an unknown message type',
  'unknown-path': 'an unknown path number',
  'bad-part': 'a record part with an impossible number or size',
  'bad-record': 'a record that is no JSON object of the required shape',
  'bad-identity': 'a record with a key that does not belong to the id',
  'bad-signature': 'a record with an invalid signature',
  'bad-reveal': 'a beat with a value that is not in the hash chain',
  'bad-goodbye': 'a goodbye with a wrong secret',
  'off-link': 'a source address outside of the subnets of the interface',
  'own-id': 'sent by another host with the id of this daemon',
  duplicate: 'received before, on the same or another path',
  replayed: 'older than a datagram received before',
  'too-far-ahead': 'a sequence number that is too high for the time since the last beat',
  unproven: 'from a peer or incarnation without a known record',
  'signature-budget': 'more signatures to verify than allowed per second',
  'registry-full': 'a new peer while the registry is full',
  exception: 'an error in this program, see the log',
} as const

export type Refusal = keyof typeof REFUSALS

import type { Path } from '../link.ts'
import type { PeerId } from './id.ts'

/** `ES`, the first two bytes of every open datagram. */
export const MAGIC = 0x4553
export const VERSION = 1
export const HEADER_BYTES = 32
/** The largest UDP payload ever sent: never fragmented, as IPv6's minimum MTU is 1,280 (RFC 8200, section 5). */
export const MAX_DATAGRAM_BYTES = 1200

export const BEAT_BODY_BYTES = 32
export const RECORD_PREFIX_BYTES = 8
export const QUERY_PREFIX_BYTES = 4
export const BYE_BODY_BYTES = 16
export const PROBE_BODY_BYTES = 20

/** What one RECORD datagram carries of the joined bytes; every part but the last carries exactly this much. */
export const PART_BYTES = MAX_DATAGRAM_BYTES - HEADER_BYTES - RECORD_PREFIX_BYTES
/** Public key and signature, before the record's JSON. */
export const SEAL_BYTES = 32 + 64
export const MAX_RECORD_BYTES = 16 * 1024
export const MAX_PARTS = Math.ceil((SEAL_BYTES + MAX_RECORD_BYTES) / PART_BYTES)
export const MAX_QUERY_IDS = 64
/** An incarnation is an u32. */
export const MAX_INCARNATION = 0xffffffff

/** The number of a path in the header is its index here. */
export const PATHS = ['unicast', 'broadcast', 'multicast4', 'multicast6'] as const satisfies readonly Path[]

interface Header {
  /** The path the sender put it on: a hint, covered by no proof. */
  path: Path
  id: PeerId
  /** Seconds since 1970 at the start of the daemon, or more: higher at every start (u32). */
  incarnation: number
  /** In a BEAT, the position in the hash chain that it reveals; elsewhere the last position revealed (u32). */
  sequence: number
}

/** «I am alive»: proves itself by the hash chain. */
export interface Beat extends Header {
  type: 'beat'
  recordVersion: number
  /** The nonce of the PROBE that this answers, or 0. */
  echo: number
  /** How many beats went to everyone in this incarnation: the gaps are the loss. Answers to probes do not count. */
  number: number
  /** The sender's monotonic clock, ms modulo 2^32: what RFC 3550's jitter needs. */
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

/** «Send me records»: of the peers named, or of everyone. */
export interface Query extends Header {
  type: 'query'
  nonce: number
  ids: PeerId[]
}

/** «I am leaving»: proves itself by the secret that the record committed to. */
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
/** Each type's number in the header. */
export const TYPE_NUMBERS = { beat: 1, record: 2, query: 3, bye: 4, probe: 5 } as const satisfies Record<
  MessageType,
  number
>

import type { Path } from '../../link.ts'
import type { Saying } from '../../presence/peers/types.ts'

/**
 * A question (RFC 6762, section 5). Names are DNS names as text, without the final dot; a dot within an instance's
 * label stands there as it is.
 */
export interface Question {
  name: string
  type: RecordType | 'ANY'
  /** The answer is to go to the asker alone (section 5.4): nobody else may rely on hearing it. */
  unicast?: true
}

export type RecordType = 'PTR' | 'SRV' | 'TXT' | 'A' | 'AAAA' | 'NSEC'

/** A resource record of class IN, of the types that DNS-SD is made of. */
export type ResourceRecord = {
  name: string
  /** Seconds; 0 is a goodbye (RFC 6762, section 10.1). */
  ttl: number
  /** The cache-flush bit (section 10.2): this set of records takes the place of older ones. */
  flush: boolean
} & RecordData

export type RecordData =
  | { type: 'PTR'; data: string }
  | { type: 'SRV'; data: { priority: number; weight: number; port: number; target: string } }
  /** The strings as they came, `key=value` each (RFC 6763, section 6). */
  | { type: 'TXT'; data: Uint8Array[] }
  | { type: 'A' | 'AAAA'; data: string }
  /** The name has records of these types and of no other (RFC 6762, section 6.1). Only sent; what is heard is left out. */
  | { type: 'NSEC'; data: Exclude<RecordType, 'NSEC'>[] }

/** A whole mDNS message. What it held beside records of the types above has been left out. */
export interface Message {
  kind: 'query' | 'response'
  /** 0 in all but questions of simple resolvers (section 6.7) and the answers to them. */
  id: number
  /** More known answers follow in another message (section 7.2). */
  truncated: boolean
  questions: Question[]
  answers: ResourceRecord[]
  authorities: ResourceRecord[]
  additionals: ResourceRecord[]
}

/** A message to send: to everyone on an interface's segment by IPv4 and IPv6 both, or to one that asked. */
export interface OutgoingMessage {
  interface: string
  to: 'multicast' | { address: string; port: number }
  message: Message
}

/** A service to be published. */
export interface PublishedService {
  /** Unique among this peer's. */
  id: string
  /** The instance name that is wanted; the one that is used may have ` (2)` and so on behind it. */
  name: string
  /** `_http._tcp` */
  type: string
  port: number
  txt: Record<string, string>
  subtypes: string[]
}

/** How a service of this peer stands on the network. */
export interface Publication {
  id: string
  /** The instance name in use: the wanted one, or with a number behind it when another host holds that. */
  name: string
  type: string
  /**
   * `waiting`: there is no interface on which mDNS can be spoken. `elsewhere`: another mDNS program on this machine
   * publishes the same, and this one leaves it to that.
   */
  state: 'waiting' | 'probing' | 'published' | 'elsewhere'
}

/** What the log should say, once. */
export type MdnsNotice =
  /** Another host holds the instance name `from`: `to` is tried in its place. */
  | { type: 'renamed'; id: string; service: string; from: string; to: string }
  /**
   * Something is not taken in any more: `limit` is reached, by all together or by what one `source` address told. Told
   * once, and again after it had room for a while.
   */
  | {
      type: 'limit'
      limit: 'hosts' | 'services' | 'txt-bytes' | 'records' | 'types' | 'packets'
      most: number
      source?: string
    }

/** Whether the beacons of a living peer tell what a host, named in lower case, says of itself by mDNS. */
export type IsConfirmedByBeacon = (host: string, saying: Saying) => boolean

/** How much is held of other hosts, of how much at most. */
export interface MdnsLimits {
  hosts: MdnsLimit
  services: MdnsLimit
  txtBytes: MdnsLimit
}

export interface MdnsLimit {
  now: number
  most: number
  /** Source addresses of which more is passed over, as each of them has its share, a quarter of `most`. */
  full: string[]
}

/** For `status`. */
export interface MdnsView {
  /** The host name in use: the machine's, `kitchen.local`, or where another has that, `k3vq7m2xa4.local`. */
  hostname: string
  publications: Publication[]
  /** Service types that are browsed for. */
  browsing: string[]
  limits: MdnsLimits
  /** The interfaces in use, with the paths that are open or fail, and why those fail. */
  interfaces: { name: string; paths: { path: Path; fault?: string }[] }[]
  /** Messages; `unsent` ones were dropped, as too many were waiting to be sent. */
  counters: { received: number; sent: number; dropped: number; unsent: number }
}

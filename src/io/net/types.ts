/** The three ways from one interface to everyone on its segment. */
export type SharedPath = 'broadcast' | 'multicast4' | 'multicast6'

export interface NetOptions {
  /** UDP port of everything: source and destination. */
  port: number
  /** IPv4 multicast group. */
  group4: string
  /** IPv6 multicast group, link-local scope. */
  group6: string
  /** Glob patterns of interface names to use; none means every one that `exclude` does not name. */
  include: readonly string[]
  /**
   * Glob patterns of interface names to leave out; an exact name or pattern in `include` wins over it. Undefined means
   * the built-in list, which spares the interface of the default route.
   */
  exclude: readonly string[] | undefined
  /**
   * Other programs of this machine live on the port too, as on that of mDNS: only the groups are listened on, what is
   * sent has a hop limit of 255 (RFC 6762, section 11), and a port that one of them keeps to itself is a fault, tried
   * again until it is free. Absent: the port is ours alone.
   */
  sharedPort?: boolean
}

/** An interface in use. */
export interface Link {
  name: string
  /** Those that can be used: not an IPv6 address that another machine has as well. */
  addresses: { address: string; family: 'ipv4' | 'ipv6' }[]
  /** The shared paths that are open for sending and hearing. */
  paths: SharedPath[]
}

/** Where a datagram was heard. */
export interface Heard {
  interface: string
  path: 'unicast' | SharedPath
  /** The source, a link-local IPv6 address without its zone. */
  address: string
  port: number
  /** The source lies in one of the interface's own subnets, or is link-local or own. */
  onLink: boolean
  /**
   * The source is one of this machine's own addresses. On IPv4 that is told by the interface that has the address; on
   * IPv6 by the one that heard it, which may be another in the same network.
   */
  own: boolean
}

/**
 * What `Net` tells; each is reported once and not again until it changed. A fault is told when it has lasted a second
 * (three for an address that cannot be bound yet), for one path every ten seconds at most; those of an interface that
 * goes are forgotten without a word.
 */
export interface NetEvents {
  datagram: [bytes: Uint8Array, heard: Heard]
  /** The interfaces in use, when any came, went or changed. */
  links: [links: Link[]]
  fault: [fault: { interface: string; path: 'unicast' | SharedPath; error: Error }]
  recovered: [path: { interface: string; path: 'unicast' | SharedPath }]
  /** Interfaces that `include` names and that cannot be used, as they become so; the first time before `open` resolves. */
  unusable: [interfaces: LeftOut[]]
}

/** An interface that is not used, and why. */
export interface LeftOut {
  name: string
  /** `missing`: named by `include`, and not there; `no-address`: named and there, but down or without an address. */
  cause: 'excluded' | 'not-named' | 'missing' | 'no-address'
  /** For people. */
  reason: string
  /** The pattern of `exclude` that it matches. */
  pattern?: string
  /** The interface that was most likely meant by the name of one that is missing. */
  nearest?: string
}

/** For `status`. */
export interface NetStatus {
  links: Link[]
  faults: { interface: string; path: 'unicast' | SharedPath; message: string }[]
  leftOut: LeftOut[]
  /** Datagrams that were not sent, as too many were waiting: to one, and to everyone. */
  dropped: { unicast: number; shared: number }
}

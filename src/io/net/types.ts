import type { DatagramSource, Interface, InterfacePath } from '../../core/link.ts'

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

/**
 * What `Net` tells; each is reported once and not again until it changed. A fault is told when it has lasted a second
 * (three for an address that cannot be bound yet), for one path every ten seconds at most; those of an interface that
 * goes are forgotten without a word.
 */
export interface NetEvents {
  datagram: [bytes: Uint8Array, source: DatagramSource]
  /** The interfaces in use, when any came, went or changed. */
  interfaces: [interfaces: Interface[]]
  fault: [fault: InterfacePath & { error: Error }]
  recovered: [path: InterfacePath]
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
  interfaces: Interface[]
  faults: (InterfacePath & { message: string })[]
  leftOut: LeftOut[]
  /** Datagrams that were not sent, as too many were waiting: to one, and to everyone. */
  dropped: { unicast: number; shared: number }
}

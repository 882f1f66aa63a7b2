import type { DatagramSource, Interface, InterfacePath } from '../../core/link.ts'

/** Options of `Net`. */
export interface NetOptions {
  /** UDP port. Every datagram is sent from it and to it. */
  port: number
  /** IPv4 multicast group. */
  group4: string
  /** IPv6 multicast group of link-local scope. */
  group6: string
  /** Glob patterns of the interfaces to use. Empty means every interface that `exclude` does not match. */
  include: readonly string[]
  /**
   * Glob patterns of the interfaces to leave out. Ignored if `include` has patterns. Undefined means the built-in list,
   * which does not apply to the interface of the default route.
   */
  exclude: readonly string[] | undefined
  /**
   * Whether other programs on this machine use the port too, as on port 5353 of mDNS. If so, only multicast is received,
   * every datagram is sent with a hop limit of 255 (RFC 6762, section 11), and a port that is taken is reported as a
   * fault and tried again. If not, a port that is taken is an error.
   */
  sharedPort?: boolean
}

/**
 * The events of `Net`. A state is reported once, and again only after it changed. A fault is reported when it has lasted
 * for a second (three seconds for an address that cannot be bound), at most every ten seconds for each path. If an
 * interface goes away, its faults end without a `recovered` event.
 */
export interface NetEvents {
  datagram: [bytes: Uint8Array, source: DatagramSource]
  /** An interface came, went or changed: all interfaces in use. */
  interfaces: [interfaces: Interface[]]
  fault: [fault: InterfacePath & { error: Error }]
  recovered: [path: InterfacePath]
  /** Interfaces that `include` names became unusable. The first event comes before `open` resolves. */
  unusable: [interfaces: LeftOut[]]
}

/** An interface that is not used, and why. */
export interface LeftOut {
  name: string
  /** `missing`: `include` names it, but it does not exist. `no-address`: it exists, but is down or has no address. */
  cause: 'excluded' | 'not-named' | 'missing' | 'no-address'
  /** The cause in words. */
  reason: string
  /** The `exclude` pattern that matches. */
  pattern?: string
  /** The existing interface with the most similar name, if the named one is missing. */
  nearest?: string
}

/** State of `Net` for the status of the daemon. */
export interface NetStatus {
  interfaces: Interface[]
  faults: (InterfacePath & { message: string })[]
  leftOut: LeftOut[]
  /** How many datagrams were dropped because the send queue was full, for unicast and for the shared paths. */
  dropped: { unicast: number; shared: number }
}

/** The paths from one interface to every host on its segment: IPv4 broadcast, IPv4 multicast and IPv6 multicast. */
export type SharedPath = 'broadcast' | 'multicast4' | 'multicast6'

/** How a datagram travels: to one host, or to every host on the segment. */
export type Path = 'unicast' | SharedPath

/** An IP address in text form. An IPv6 address has no zone (`%eth0`). */
export interface InterfaceAddress {
  address: string
  family: 'ipv4' | 'ipv6'
}

/** An address together with the name of the local interface through which it is reached. */
export interface AddressOnInterface extends InterfaceAddress {
  interface: string
}

/** A network interface in use. */
export interface Interface {
  name: string
  /** The usable addresses. An IPv6 address that another machine has too is left out. */
  addresses: InterfaceAddress[]
  /** The shared paths that are open for sending and receiving. */
  paths: SharedPath[]
}

/** One path of one interface. */
export interface InterfacePath {
  interface: string
  path: Path
}

/** Where a received datagram came from. */
export interface DatagramSource {
  /** The name of the interface that received it. */
  interface: string
  /** The path on which it was received. */
  path: Path
  /** The source address. A link-local IPv6 address has no zone. */
  address: string
  port: number
  /** The source address lies in a subnet of the receiving interface, is link-local, or is this machine's own. */
  onLink: boolean
  /**
   * The source address belongs to this machine. For IPv4, only the interface that has the address reports the datagram.
   * For IPv6, another interface on the same network may report it.
   */
  own: boolean
}

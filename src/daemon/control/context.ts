import type { Server, ServerResponse } from 'node:http'
import type { FastifyInstance, RawRequestDefaultExpression } from 'fastify'
import type { Logger } from 'pino'
import type { AddressOnInterface, InterfacePath } from '../../core/link.ts'
import type { MdnsView } from '../../core/mdns/mdns.ts'
import type { PresenceReader } from '../../core/presence/peers/types.ts'
import type { PeerId } from '../../core/wire/id.ts'
import type { LeftOut } from '../../io/net/types.ts'
import type { Catalogue } from '../services/catalogue.ts'

/** The Fastify application that routes are added to. */
export type App = FastifyInstance<Server, RawRequestDefaultExpression<Server>, ServerResponse, Logger>

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Set on routes that answer 405: the methods that their URL does have (RFC 9110, section 15.5.6). */
    allow?: readonly string[]
  }
}

/** What the control API needs from the daemon. */
export interface ControlDependencies {
  /** The peers and their changes, read only. */
  readonly presence: PresenceReader
  /** The services and attributes of this peer. */
  readonly catalogue: Pick<
    Catalogue,
    'peerName' | 'get' | 'put' | 'remove' | 'saved' | 'list' | 'badFiles' | 'attributes' | 'patchAttributes'
  >
  /**
   * The secret that allows changes over loopback. New at every start of the daemon. Contains letters, digits, `-` and
   * `_` only.
   */
  readonly token: string
  /** Identifies this run of the daemon: an `index` counts within one epoch. Contains letters and digits only. */
  readonly epoch: string
  /** The monotonic time, ms. */
  now(): number
  /** Converts a monotonic time to ms since 1970. */
  wallClock(monotonic: number): number
  /** Calls `listener` one or more times after each change of the registry. Returns a function that stops this. */
  onChange(listener: () => void): () => void
  /** The present state of the daemon. */
  describe(): DaemonStatus
  /** Measures the round-trip time to a peer, ms. Resolves to undefined if no answer comes within `timeout` ms. */
  probe(id: PeerId, timeout: number): Promise<number | undefined>
  /** Asks all peers to send their records. */
  query(): void
  /** Undefined if mDNS is off. */
  readonly mdns?: MdnsAccess | undefined
}

/** The part of mDNS that the control API uses. */
export interface MdnsAccess {
  view(): MdnsView
  /**
   * Finds the addresses of a host such as `printer.local`. Takes them from the cache, or else sends queries and waits up
   * to `timeout` ms for an answer. Resolves to an empty list if there is none.
   */
  resolve(hostname: string, timeout: number): Promise<AddressOnInterface[]>
}

/** The state of the daemon as far as it is not in the registry. */
export interface DaemonStatus {
  /** Monotonic ms. */
  startedAt: number
  /** The UDP port of the beacons. */
  port: number
  stateDir: string
  /** Why the state cannot be written to disk. Undefined if it is written. */
  stateFault?: string | undefined
  /** The interfaces that are not used, and why. */
  leftOut: readonly LeftOut[]
  /** The paths on which opening a socket or sending fails at present, and why. */
  faults: readonly (InterfacePath & { message: string })[]
  /** Datagrams dropped because a send queue was full: unicast, and broadcast or multicast (`shared`). */
  dropped: { unicast: number; shared: number }
}

/** The addresses that the control API listens on. */
export interface ListenAddresses {
  /** The path of the Unix socket. */
  socket: string
  /** `host:port` on loopback. Undefined if off. */
  http: string | undefined
}

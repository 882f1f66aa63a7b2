import type { Path } from '../../core/link.ts'
import type { MdnsView } from '../../core/mdns/mdns.ts'
import type { PeerView, PresenceReader } from '../../core/presence/peers/types.ts'
import type { PeerId } from '../../core/wire/index.ts'
import type { LeftOut } from '../../io/net/index.ts'
import type { Catalogue } from '../services/catalogue.ts'

/** What the daemon lends to the control side: the registry to read, what to change, and the clock to read it by. */
export interface Station {
  readonly reader: PresenceReader
  /** What this peer offers and says of itself. */
  readonly catalogue: Pick<
    Catalogue,
    'get' | 'put' | 'remove' | 'saved' | 'list' | 'badFiles' | 'attributes' | 'patchAttributes'
  >
  /** New at every start of the daemon: who bears it may change something over loopback. Letters, digits, `-` and `_`. */
  readonly token: string
  /** New at every start of the daemon: `index` counts within it. Letters and digits. */
  readonly epoch: string
  /** Monotonic ms. */
  now(): number
  /** The wall-clock time of a monotonic one, in ms since 1970. */
  wallClock(monotonic: number): number
  /** Calls `listener` after the registry has changed, once or oftener; returns what ends that. */
  onChange(listener: () => void): () => void
  describe(): DaemonFacts
  /** Round-trip time to a peer, ms; undefined when it does not answer within `timeout` ms. */
  probe(id: PeerId, timeout: number): Promise<number | undefined>
  /** Asks everyone for their records. */
  query(): void
  /** Undefined when mDNS is off. */
  readonly mdns?: MdnsStation | undefined
}

/** What the daemon lends of mDNS. */
export interface MdnsStation {
  view(): MdnsView
  /** The addresses of a host such as `printer.local`: those known, else those that are heard within `timeout` ms. */
  resolve(hostname: string, timeout: number): Promise<PeerView['addresses']>
}

/** What presence does not know of its own daemon. */
export interface DaemonFacts {
  /** Monotonic ms. */
  startedAt: number
  /** UDP port of the beacons. */
  port: number
  stateDir: string
  /** Why what is to last across a restart does not lie on the disk; undefined when it does. */
  stateFault?: string | undefined
  /** Interfaces that are not used, and why. */
  leftOut: readonly LeftOut[]
  /** Where sending or opening fails now, and why. */
  faults: readonly { interface: string; path: Path; message: string }[]
  /** Datagrams that were not sent, as too many were waiting: to one, and to everyone. */
  dropped: { unicast: number; shared: number }
}

import type { Change, PeerView, Sighting } from '../../../../src/core/presence/peers/types.ts'
import type { PeerId } from '../../../../src/core/wire/id.ts'
import type { Service } from '../../../../src/core/wire/record-schema.ts'
import { type SimHost, SimNetwork } from '../../sim/network.ts'

export const OFFICE: Service = {
  id: 'Office._ipp._tcp',
  name: 'Office',
  type: '_ipp._tcp',
  port: 631,
  txt: { rp: 'ipp/print' },
  subtypes: [],
}

/** A daemon (`watcher`) on a simulated network, with the hosts that mDNS reports to it. */
export class Scene {
  readonly network = new SimNetwork()
  readonly watcher = this.network.host({ name: 'watcher' })
  readonly #reports = new Map<string, Sighting>()

  /** Reports a host, heard now. What `given` does not contain is as in the last report. */
  report(hostname: string, given: Partial<Sighting> = {}): void {
    const id = hostname.toLowerCase()
    const { now } = this.network
    const sighting: Sighting = {
      id,
      hostname,
      name: hostname.replace(/\.local$/, ''),
      state: 'alive',
      addresses: [{ address: '10.9.9.9', family: 'ipv4', interface: 'eth0' }],
      services: [OFFICE],
      version: '',
      claim: undefined,
      ...this.#reports.get(id),
      lastSeen: now,
      heardOn: [{ interface: 'eth0', lastHeard: now }],
      ...given,
    }
    this.#reports.set(id, sighting)
    this.watcher.presence.sight(sighting, now)
    this.network.flush(this.watcher)
  }

  peers(): PeerView[] {
    return this.watcher.presence.peers()
  }

  /** The names and states of the listed peers: `kitchen alive, printer.local failed`. */
  list(): string {
    return this.peers()
      .map(({ id, source, name, state }) => `${source === 'mdns' ? id : name} ${state}`)
      .join(', ')
  }

  /** The journal after `index`, without changes of the watcher itself: `peer-up printer.local`, `service-up Office`. */
  changes(index = 0): string[] {
    const changes = (this.watcher.presence.changesSince(index) ?? []).filter(({ own }) => !own)
    return changes.map((change) => `${change.type} ${subject(change)}`)
  }

  get index(): number {
    return this.watcher.presence.index
  }
}

function subject(change: Change): string {
  if ('service' in change) return change.service.name
  return change.peer.source === 'mdns' ? change.peer.id : change.peer.name
}

export function idOf(host: SimHost): PeerId {
  return host.presence.self().id
}

export function addressesOf(host: SimHost): Sighting['addresses'] {
  return host.interfaces.flatMap(({ name, addresses }) => addresses.map((each) => ({ ...each, interface: name })))
}

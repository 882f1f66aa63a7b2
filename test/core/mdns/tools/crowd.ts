import TinyQueue from 'tinyqueue'
import type { DatagramSource } from '../../../../src/core/link.ts'
import type { OutgoingMessage } from '../../../../src/core/mdns/dns/messages.ts'
import { Mdns } from '../../../../src/core/mdns/mdns.ts'
import type { PublishedService } from '../../../../src/core/mdns/publisher/claim.ts'
import type { HostAssertion, Sighting } from '../../../../src/core/presence/peers/types.ts'
import { DEFAULT_BROWSE_TYPES } from '../../../../src/daemon/config/values.ts'
import { seededRandom } from '../../sim/network.ts'
import { encoded } from './encoded.ts'

/** The size of the IP and UDP headers, bytes. */
const IPV4 = 28
const IPV6 = 48
/** When beacons detect that a peer has failed, ms. */
const FAILED_AFTER = 5000

/** A host on the segment that runs earshot. */
export interface Member {
  readonly id: string
  readonly name: string
  readonly address: string
  readonly mdns: Mdns
  /** The last sighting of each other host, by host name. */
  readonly seen: Map<string, Sighting>
}

interface Delivery {
  at: number
  run: () => void
}

/** A segment of hosts that all run earshot, receive each other's beacons, and use mDNS over IPv4 and IPv6. */
export class Crowd {
  now = 0
  /** The bytes sent on the segment, including IP headers. */
  bytes = 0
  readonly members = new Set<Member>()
  readonly #random = seededRandom('crowd')
  readonly #deliveries = new TinyQueue<Delivery>([], (a, b) => a.at - b.at)
  #number = 0

  join(): Member {
    const number = ++this.#number
    const id = idOf(number)
    const mdns = new Mdns({
      random: this.#random,
      browse: DEFAULT_BROWSE_TYPES,
      isConfirmedByBeacon: (host, assertion) => this.#isConfirmedByBeacon(host, assertion),
    })
    const member: Member = { id, name: `host-${number}`, address: `10.0.0.${number}`, mdns, seen: new Map() }
    this.members.add(member)
    mdns.setInterfaces(
      [
        {
          name: 'eth0',
          addresses: [{ address: member.address, family: 'ipv4' }],
          paths: ['multicast4', 'multicast6'],
        },
      ],
      this.now,
    )
    const { name } = member
    const services = servicesOf(member)
    mdns.publish({ id, name, hostname: name, version: '0.1.0', port: 15_353, services }, this.now)
    mdns.start(this.now)
    return member
  }

  leave(member: Member): void {
    member.mdns.leave(this.now)
    this.#at(150, () => this.members.delete(member))
  }

  /** Stops a host without goodbyes. The others notice by its beacons and query it. */
  kill(member: Member): void {
    this.members.delete(member)
    const hostname = hostnameOf(member)
    this.#at(FAILED_AFTER, () => {
      for (const each of this.members) each.mdns.queryHost(hostname, this.now)
    })
  }

  /** Advances the time. Returns the bytes per second on the segment. */
  run(ms: number): number {
    const [end, before] = [this.now + ms, this.bytes]
    while (true) {
      const wakes = Array.from(this.members, ({ mdns }) => mdns.nextWake ?? Number.POSITIVE_INFINITY)
      const next = Math.min(this.#deliveries.peek()?.at ?? Number.POSITIVE_INFINITY, ...wakes)
      if (next > end) break
      this.now = Math.max(this.now, next)
      if (this.#deliveries.peek()?.at === next) this.#deliveries.pop()?.run()
      for (const member of this.members) {
        if ((member.mdns.nextWake ?? Number.POSITIVE_INFINITY) <= this.now) member.mdns.wake(this.now)
        this.#collect(member)
      }
    }
    this.now = end
    return ((this.bytes - before) * 1000) / ms
  }

  #collect(member: Member): void {
    for (const outgoing of member.mdns.takeOutgoing()) this.#carry(member, outgoing)
    for (const sighting of member.mdns.takeSightings()) member.seen.set(sighting.id, sighting)
    member.mdns.takeNotices()
  }

  #carry(from: Member, { to, message }: OutgoingMessage): void {
    const length = encoded(message).length
    const number = Number(from.address.split('.')[3])
    const copies = [
      { headers: IPV4, address: from.address },
      { headers: IPV6, address: `fe80::${number}` },
    ]
    for (const [i, { headers, address }] of copies.entries()) {
      if (to !== 'multicast' && to.address.includes(':') !== address.includes(':')) continue
      this.bytes += length + headers
      const path = address.includes(':') ? 'multicast6' : 'multicast4'
      const source: DatagramSource = { interface: 'eth0', path, address, port: 5353, onLink: true, own: false }
      this.#at(0.3 + 10 * i * this.#random.number(), () => {
        for (const member of this.members) {
          if (member === from || (to !== 'multicast' && to.address !== member.address)) continue
          member.mdns.receive(message, source, this.now)
        }
      })
    }
  }

  #at(after: number, run: () => void): void {
    this.#deliveries.push({ at: this.now + after, run })
  }

  #isConfirmedByBeacon(host: string, assertion: HostAssertion): boolean {
    const peer = [...this.members].find((member) => hostnameOf(member) === host)
    if (!peer) return false
    if ('address' in assertion) return assertion.address === peer.address
    if (assertion.type === undefined) return assertion.name === peer.name
    return servicesOf(peer).some(({ name, type }) => name === assertion.name && type === assertion.type)
  }
}

export function hostnameOf({ name }: Member): string {
  return `${name}.local`
}

/** A unique id of 26 letters. */
function idOf(number: number): string {
  const letters = [...number.toString(26)].map((digit) => String.fromCharCode(97 + Number.parseInt(digit, 26)))
  return letters.join('').padStart(4, 'a').padEnd(26, 'z')
}

function servicesOf({ name }: Pick<Member, 'name'>): PublishedService[] {
  return [{ id: 'web', name: `Web of ${name}`, type: '_http._tcp', port: 80, txt: { path: '/' }, subtypes: [] }]
}

import { describe, expect, it } from 'vitest'
import type { DatagramSource } from '../../../../src/core/link.ts'
import { Mdns } from '../../../../src/core/mdns/mdns.ts'
import type { PublishedService } from '../../../../src/core/mdns/publisher/claim.ts'
import type { Sighting } from '../../../../src/core/presence/peers/types.ts'
import { seededRandom } from '../../sim/network.ts'

const SERVICE: PublishedService = {
  id: 'web',
  name: 'Dr. Office',
  type: '_http._tcp',
  port: 8080,
  txt: { path: '/' },
  subtypes: [],
}

/** One of two hosts on a segment. Both publish and discover. */
class Host {
  readonly id: string
  readonly address: string
  readonly mdns: Mdns
  sightings: Sighting[] = []

  constructor(letter: string, number: number) {
    this.id = letter.repeat(26)
    this.address = `10.0.0.${number}`
    this.mdns = new Mdns({ random: seededRandom(letter), browse: ['_http._tcp'] })
    const addresses = [{ address: this.address, family: 'ipv4' as const }]
    this.mdns.setInterfaces([{ name: 'eth0', addresses, paths: ['multicast4'] }], 0)
    this.mdns.start(0)
  }

  publish(services: PublishedService[], now: number): void {
    this.mdns.publish({ id: this.id, name: this.id.slice(0, 3), version: '1', port: 15353, services }, now)
  }

  last(other: Host): Sighting | undefined {
    return this.sightings.findLast(({ claim }) => claim === other.id)
  }
}

function segment() {
  const hosts = [new Host('a', 1), new Host('b', 2)] as const
  let now = 0
  const run = (ms: number, loss = 0) => {
    const random = seededRandom(`${ms}`)
    for (const end = now + ms; now < end; now += 5) {
      for (const host of hosts) {
        host.mdns.wake(now)
        for (const { message } of host.mdns.takeOutgoing()) {
          const other = host === hosts[0] ? hosts[1] : hosts[0]
          const from: DatagramSource = {
            interface: 'eth0',
            path: 'multicast4',
            address: host.address,
            port: 5353,
            onLink: true,
            own: false,
          }
          if (random.number() >= loss) other.mdns.receive(message, from, now)
        }
        host.sightings.push(...host.mdns.takeSightings())
      }
    }
  }
  return { hosts, run, now: () => now }
}

describe('two hosts that run earshot', () => {
  it('discover each other and their services, follow changes, and notice when the other leaves', () => {
    const { hosts, run, now } = segment()
    const [one, two] = hosts
    for (const host of hosts) host.publish([SERVICE], now())
    // The host that loses the tiebreak waits a second before it tries another name.
    run(4000)
    const services = [one.last(two), two.last(one)].map((sighting) => sighting?.services.map(({ name }) => name))
    expect(services.flat().sort()).toEqual(['Dr. Office', 'Dr. Office (2)'])
    expect(one.last(two)).toMatchObject({
      state: 'alive',
      version: '1',
      name: 'bbb',
      addresses: [{ address: '10.0.0.2' }],
    })

    two.publish([{ ...SERVICE, txt: { path: '/new' } }], now())
    run(1500)
    expect(one.last(two)?.services).toMatchObject([{ port: 8080, txt: { path: '/new' } }])

    two.publish([], now())
    run(2000)
    expect(one.last(two)).toMatchObject({ state: 'alive', services: [] })

    two.mdns.leave(now())
    run(2000)
    expect(one.last(two)).toMatchObject({ state: 'left' })
  })

  it('stay alive for each other for an hour when 10 % of all messages are lost', () => {
    const { hosts, run, now } = segment()
    for (const host of hosts) host.publish([SERVICE], now())
    run(3_600_000, 0.1)
    for (const { sightings } of hosts) {
      expect(sightings.length).toBeGreaterThan(30)
      expect(sightings.filter(({ state }) => state === 'failed' || state === 'left')).toEqual([])
    }
  })
})

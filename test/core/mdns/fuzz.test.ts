import { isIP } from 'node:net'
import { expect, test } from 'vitest'
import type { DatagramSource } from '../../../src/core/link.ts'
import type { Message } from '../../../src/core/mdns/dns/messages.ts'
import { Mdns } from '../../../src/core/mdns/mdns.ts'
import { seededRandom } from '../sim/network.ts'
import { pointerChain } from './tools/hostile.ts'
import { mutate, randomFrom } from './tools/mutate.ts'
import { PACKETS } from './tools/packets.ts'
import { nextTurn, TransportHarness } from './tools/transport-harness.ts'

const PACKETS_IN_ALL = 200_000
const ORIGINALS = [...Object.values(PACKETS).map((hex) => Buffer.from(hex, 'hex')), pointerChain(300, 20)]

/** Whatever bytes it was decoded from, a message contains only what its type allows. */
function check({ questions, answers, authorities, additionals }: Message): void {
  for (const { name } of questions) if (name.length === 0 || name.length > 255) throw new Error(`question for ${name}`)
  for (const record of [...answers, ...authorities, ...additionals]) {
    const { name, ttl } = record
    const family = record.type === 'A' ? 4 : 6
    const fine =
      record.type === 'SRV'
        ? record.data.port <= 65_535 && record.data.target !== '.'
        : record.type === 'TXT'
          ? record.data.every((string) => string.length < 256)
          : record.type === 'PTR'
            ? record.data.length < 256
            : record.type !== 'NSEC' && isIP(record.data) === family
    if (!fine || name === '.' || ttl < 0 || ttl >= 2 ** 31) throw new Error(`bad ${record.type} of ${name}`)
  }
}

// The library encodes in a later turn: an exception there would fail this file as uncaught.
test('mutated messages cause no exception on receiving or sending, and leave bounded state behind', async () => {
  const random = randomFrom(20_260_801)
  const harness = new TransportHarness()
  const mdns = new Mdns({ random: seededRandom('fuzz'), browse: ['*'] })
  const address = { address: '192.168.1.5', family: 'ipv4' } as const
  mdns.setInterfaces([{ name: 'eth0', addresses: [address], paths: ['multicast4', 'multicast6'] }], harness.now)
  const service = { id: 'w', name: 'Office', type: '_ipp._tcp', port: 80, txt: {}, subtypes: ['printer'] }
  mdns.publish({ id: 'k3vq7m2xa4k3vq7m2xa4', name: 'w', version: '1', port: 15_353, services: [service] }, harness.now)
  mdns.start(harness.now)
  let read = 0
  let sent = 0
  for (let i = 0; i < PACKETS_IN_ALL; i++) {
    harness.now += 5
    const from: DatagramSource = {
      interface: 'eth0',
      path: 'multicast4',
      address: `192.168.1.${10 + (i % 40)}`,
      port: 5353,
      onLink: true,
      own: false,
    }
    const message = harness.receive(mutate(ORIGINALS, random), from)
    if (message !== undefined) {
      read++
      check(message)
      mdns.receive(message, from, harness.now)
      // Sent as an own message: with names that no own host would have.
      if (i % 100 === 0) harness.transport.send({ interface: 'eth0', to: 'multicast', message })
    }
    mdns.wake(harness.now)
    for (const outgoing of mdns.takeOutgoing()) {
      sent++
      harness.transport.send(outgoing)
    }
    mdns.takeSightings()
    mdns.takeNotices()
    if (i % 1000 > 0) continue
    await nextTurn()
    harness.sent.length = 0
  }
  await nextTurn()
  expect(harness.problems).toEqual([])
  // The mutations are neither all dropped nor all accepted.
  expect(read).toBeGreaterThan(PACKETS_IN_ALL / 5)
  expect(harness.transport.dropsByReason.layout).toBeGreaterThan(PACKETS_IN_ALL / 20)
  expect(sent).toBeGreaterThan(100)
  const { hosts, services, txtBytes } = mdns.view().limits
  for (const { now, most } of [hosts, services, txtBytes]) expect(now).toBeLessThanOrEqual(most)
})

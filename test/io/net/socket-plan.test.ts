import { BlockList } from 'node:net'
import fc from 'fast-check'
import ipaddr from 'ipaddr.js'
import { expect, test } from 'vitest'
import { broadcastAddress, planIpv4, planIpv6 } from '../../../src/io/net/socket-plan.ts'
import type { SystemInterface } from '../../../src/io/net/system-interfaces.ts'

const ENDPOINT = { port: 15353, group4: '239.255.153.53', group6: 'ff12::153:53' }

function card(...addresses: string[]): SystemInterface {
  const ipv4 = addresses.map((text) => {
    const [address = '', prefix] = text.split('/')
    return { address, prefix: Number(prefix) }
  })
  return { name: 'eth0', mac: '', index: 2, ipv4, ipv6: [], linkLocal: 'fe80::1' }
}

const senders = (one: SystemInterface) => planIpv4(one, ENDPOINT)?.senders.map(({ unicast }) => unicast.address)

test('each subnet has a sender with an address in it, and a receiver of its broadcast', () => {
  const plan = planIpv4(card('169.254.5.5/16', '10.93.0.1/24'), ENDPOINT)
  expect(plan?.senders.map(({ shared, to }) => [shared?.address, ...to.map(({ address }) => address)])).toEqual([
    ['10.93.0.1', '10.93.0.255', '239.255.153.53'],
    ['169.254.5.5', '169.254.255.255', '239.255.153.53'],
  ])
  expect(plan?.receivers.map(({ path, socket }) => `${path} ${socket.address}`).sort()).toEqual([
    'broadcast 10.93.0.255',
    'broadcast 169.254.255.255',
    'multicast4 239.255.153.53',
  ])
  // A group is joined once for each interface. The kernel refuses a second join.
  expect(plan?.receivers.filter(({ socket }) => socket.join)).toHaveLength(1)
})

test('further addresses of a subnet, and those without a subnet, need no sockets', () => {
  expect(senders(card('10.0.0.1/24', '10.0.0.9/24', '10.0.0.100/32', '10.99.0.5/32'))).toEqual(['10.0.0.1'])
  expect(senders(card('10.99.0.5/32'))).toEqual(['10.99.0.5'])
  expect(senders(card('10.0.0.1/8', '10.0.0.2/24'))).toEqual(['10.0.0.1', '10.0.0.2'])
  expect(senders(card())).toBeUndefined()
})

test('the number of sockets of an interface is bounded', () => {
  const many = Array.from({ length: 250 }, (_, index) => `10.0.${index}.1/24`)
  expect(senders(card(...many))).toHaveLength(16)
})

test('unicast has a separate socket, with a shorter queue', () => {
  for (const plan of [planIpv4(card('10.0.0.1/24'), ENDPOINT), planIpv6(card(), ENDPOINT)]) {
    const [sender] = plan?.senders ?? []
    expect(sender?.unicast.address).toBe(sender?.shared?.address)
    expect(sender?.unicast.send?.queue).toBeLessThan(sender?.shared?.send?.queue ?? 0)
    expect(sender?.unicast.send?.kernelBuffer).toBeDefined()
  }
})

test('on a shared port, no socket can receive the unicast of other programs', () => {
  const shared = { port: 5353, group4: '224.0.0.251', group6: 'ff02::fb', sharedPort: true }
  const plans = [planIpv4(card('10.0.0.1/24', '192.168.0.1/24'), shared), planIpv6(card(), shared)]
  for (const plan of plans) {
    const sockets = [...(plan?.receivers ?? []), ...(plan?.senders ?? [])].map((one) =>
      'socket' in one ? one.socket : one.unicast,
    )
    expect(sockets).toHaveLength(2)
    for (const { address, send } of sockets) {
      expect(address).toMatch(/^(224\.|239\.|ff)/)
      expect(send?.hopLimit).toBe(255)
    }
  }
})

test('the broadcast address is the last one of the subnet', () => {
  expect(broadcastAddress('192.168.1.7', 24)).toBe('192.168.1.255')
  expect(broadcastAddress('10.1.2.3', 22)).toBe('10.1.3.255')
  expect(broadcastAddress('127.0.0.1', 8)).toBe('127.255.255.255')
  fc.assert(
    fc.property(fc.ipV4(), fc.integer({ min: 1, max: 30 }), (own, prefix) => {
      const subnet = new BlockList()
      subnet.addSubnet(own, prefix, 'ipv4')
      const last = broadcastAddress(own, prefix) ?? ''
      const value = Buffer.from(ipaddr.IPv4.parse(last).toByteArray()).readUInt32BE()
      const next = Buffer.alloc(4)
      next.writeUInt32BE((value + 1) % 2 ** 32)
      return subnet.check(last) && (last === '255.255.255.255' || !subnet.check(next.join('.')))
    }),
  )
})

test('/31, /32 and /0 have no broadcast address', () => {
  for (const prefix of [31, 32, 0]) expect(broadcastAddress('10.0.0.1', prefix), `${prefix}`).toBeUndefined()
})

test('an address on /0 shares its subnet with every other', () => {
  expect(senders(card('10.0.0.1/0', '192.168.0.1/0'))).toEqual(['10.0.0.1'])
})

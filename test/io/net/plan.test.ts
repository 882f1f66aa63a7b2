import { expect, test } from 'vitest'
import type { SystemInterface } from '../../../src/io/net/interfaces.ts'
import { planIpv4, planIpv6 } from '../../../src/io/net/plan.ts'

const PLACE = { port: 15353, group4: '239.255.153.53', group6: 'ff12::153:53' }

function card(...addresses: string[]): SystemInterface {
  const ipv4 = addresses.map((text) => {
    const [address = '', prefix] = text.split('/')
    const mask = (0xffffffff << (32 - Number(prefix))) >>> 0
    return { address, netmask: [24, 16, 8, 0].map((shift) => (mask >>> shift) & 255).join('.') }
  })
  return { name: 'eth0', mac: '', index: 2, ipv4, ipv6: [], linkLocal: 'fe80::1' }
}

const senders = (one: SystemInterface) => planIpv4(one, PLACE)?.senders.map(({ unicast }) => unicast.address)

test('every subnet of an interface is spoken to from its own address, and its broadcast is heard', () => {
  const plan = planIpv4(card('169.254.5.5/16', '10.93.0.1/24'), PLACE)
  expect(plan?.senders.map(({ shared, to }) => [shared?.address, ...to.map(({ address }) => address)])).toEqual([
    ['10.93.0.1', '10.93.0.255', '239.255.153.53'],
    ['169.254.5.5', '169.254.255.255', '239.255.153.53'],
  ])
  expect(plan?.receivers.map(({ path, socket }) => `${path} ${socket.address}`).sort()).toEqual([
    'broadcast 10.93.0.255',
    'broadcast 169.254.255.255',
    'multicast4 239.255.153.53',
  ])
  // A group is joined once for each interface: a second time is refused.
  expect(plan?.receivers.filter(({ socket }) => socket.join)).toHaveLength(1)
})

test('more addresses of one subnet, and addresses without neighbours, need no sockets', () => {
  expect(senders(card('10.0.0.1/24', '10.0.0.9/24', '10.0.0.100/32', '10.99.0.5/32'))).toEqual(['10.0.0.1'])
  expect(senders(card('10.99.0.5/32'))).toEqual(['10.99.0.5'])
  expect(senders(card('10.0.0.1/8', '10.0.0.2/24'))).toEqual(['10.0.0.1', '10.0.0.2'])
  expect(senders(card())).toBeUndefined()
})

test('the number of sockets of an interface is bounded', () => {
  const many = Array.from({ length: 250 }, (_, index) => `10.0.${index}.1/24`)
  expect(senders(card(...many))).toHaveLength(16)
})

test('what is said to one has a socket of its own, whose queue is shorter', () => {
  for (const plan of [planIpv4(card('10.0.0.1/24'), PLACE), planIpv6(card(), PLACE)]) {
    const [sender] = plan?.senders ?? []
    expect(sender?.unicast.address).toBe(sender?.shared?.address)
    expect(sender?.unicast.sends?.queue).toBeLessThan(sender?.shared?.sends?.queue ?? 0)
    expect(sender?.unicast.sends?.kernelBuffer).toBeDefined()
  }
})

test('on a shared port no socket is bound where unicast for others could come', () => {
  const shared = { port: 5353, group4: '224.0.0.251', group6: 'ff02::fb', sharedPort: true }
  const plans = [planIpv4(card('10.0.0.1/24', '192.168.0.1/24'), shared), planIpv6(card(), shared)]
  for (const plan of plans) {
    const wishes = [...(plan?.receivers ?? []), ...(plan?.senders ?? [])].map((one) =>
      'socket' in one ? one.socket : one.unicast,
    )
    expect(wishes).toHaveLength(2)
    for (const { address, sends } of wishes) {
      expect(address).toMatch(/^(224\.|239\.|ff)/)
      expect(sends?.hopLimit).toBe(255)
    }
  }
})

import { BlockList } from 'node:net'
import fc from 'fast-check'
import ipaddr from 'ipaddr.js'
import { expect, test } from 'vitest'
import type { DatagramSource } from '../../../src/core/link.ts'
import { SourceFilter } from '../../../src/io/net/source-filter.ts'
import type { SystemInterface } from '../../../src/io/net/system-interfaces.ts'

const GROUP = '239.255.153.53'

function card(name: string, ipv4: string[], ipv6: string[] = []): SystemInterface {
  return {
    name,
    mac: '',
    index: 0,
    ipv4: ipv4.map((address) => ({ address, prefix: 24 })),
    ipv6: ipv6.map((address) => ({ address, prefix: 64 })),
    linkLocal: undefined,
  }
}

const machine = [
  card('eth0', ['10.0.0.1', '10.5.0.1'], ['fe80::1', 'fd00::1']),
  card('eth1', ['10.1.0.1'], ['fe80::2']),
  card('docker0', ['172.17.0.1']),
]
const filter = new SourceFilter(machine, new Set(['eth0', 'eth1']), new Map([[GROUP, 'eth0']]))
const from = (address: string) => ({ address, port: 15353 })

/** What is decided about a source. */
const decision = (source: DatagramSource | undefined) => source && { onLink: source.onLink, own: source.own }
const check = (name: string, address: string) => decision(filter.check(name, 'multicast4', GROUP, from(address)))

test('an interface reports datagrams from its own subnets', () => {
  expect(check('eth0', '10.0.0.9')).toEqual({ onLink: true, own: false })
  expect(check('eth0', '10.5.0.9')).toEqual({ onLink: true, own: false })
  expect(check('eth1', '10.0.0.9')).toBeUndefined()
  expect(check('eth1', '10.1.0.9')).toEqual({ onLink: true, own: false })
})

test('a datagram of this machine is reported by the interface that sent it', () => {
  expect(check('eth0', '10.0.0.1')).toEqual({ onLink: true, own: true })
  expect(check('eth1', '10.0.0.1')).toBeUndefined()
})

test('a source in no subnet is reported by one interface', () => {
  expect(check('eth0', '8.8.8.8')).toEqual({ onLink: false, own: false })
  expect(check('eth1', '8.8.8.8')).toBeUndefined()
})

test('on a shared port, a source in no subnet is reported by every interface', () => {
  const shared = new SourceFilter(machine, new Set(['eth0', 'eth1']), undefined)
  const where = (address: string) =>
    ['eth0', 'eth1'].filter((name) => shared.check(name, 'multicast4', GROUP, from(address))?.onLink === false)
  expect(where('169.254.29.54')).toEqual(['eth0', 'eth1'])
  expect(where('172.17.0.5')).toEqual([])
})

test('datagrams from an unused interface are not reported', () => {
  for (const address of ['172.17.0.1', '172.17.0.5']) {
    expect(check('eth0', address)).toBeUndefined()
    expect(check('eth1', address)).toBeUndefined()
  }
})

test('unicast is always reported', () => {
  const unicast = (address: string) => decision(filter.check('eth1', 'unicast', '10.1.0.1', from(address)))
  expect(unicast('10.1.0.9')).toEqual({ onLink: true, own: false })
  expect(unicast('10.0.0.9')).toEqual({ onLink: false, own: false })
  expect(unicast('172.17.0.5')).toEqual({ onLink: false, own: false })
  expect(unicast('10.0.0.1')).toEqual({ onLink: true, own: true })
})

test('IPv6: link-local addresses and those of its subnets are on the link', () => {
  const heard = (name: string, address: string) => decision(filter.check(name, 'multicast6', 'ff12::1', from(address)))
  expect(heard('eth1', 'fe80::99')).toEqual({ onLink: true, own: false })
  expect(heard('eth0', 'fd00::99')).toEqual({ onLink: true, own: false })
  expect(heard('eth1', 'fd00::99')).toEqual({ onLink: false, own: false })
  expect(heard('eth0', 'fe80::1')).toEqual({ onLink: true, own: true })
})

test('two interfaces in one subnet both report other hosts, and each only its own datagrams', () => {
  const twins = [card('eth0', ['10.0.0.1']), card('eth1', ['10.0.0.2'])]
  const both = new SourceFilter(twins, new Set(['eth0', 'eth1']), new Map([[GROUP, 'eth0']]))
  const on = (address: string) =>
    ['eth0', 'eth1'].filter((name) => both.check(name, 'broadcast', '10.0.0.255', from(address)) !== undefined)
  expect(on('10.0.0.9')).toEqual(['eth0', 'eth1'])
  expect(on('10.0.0.2')).toEqual(['eth1'])
})

test('a source has its address without a zone, and the port that it sent from last', () => {
  const sourceAt = (name: string, path: 'unicast' | 'multicast6', address: string, port: number) =>
    filter.check(name, path, 'ff12::1', { address, port })
  const first = sourceAt('eth0', 'multicast6', 'fe80::9%eth0', 15353)
  const facts = { interface: 'eth0', path: 'multicast6', address: 'fe80::9', onLink: true, own: false }
  expect(first).toEqual({ ...facts, port: 15353 })
  expect(sourceAt('eth0', 'multicast6', 'fe80::9%eth0', 15353)).toBe(first)
  expect(sourceAt('eth0', 'multicast6', 'fe80::9%eth0', 99)).toEqual({ ...facts, port: 99 })
  expect(sourceAt('eth0', 'unicast', 'fe80::9%eth0', 15353)).toEqual({ ...facts, path: 'unicast', port: 15353 })
  expect(first).toEqual({ ...facts, port: 15353 })
})

test('a flood of forged sources costs little time', () => {
  // The CPU time of this process, since other processes may keep the machine busy.
  const begun = process.cpuUsage()
  for (let i = 0; i < 100_000; i++) check('eth0', `11.${i >> 16}.${(i >> 8) & 255}.${i & 255}`)
  const { user, system } = process.cpuUsage(begun)
  // Less than 10 µs each. The limit is high enough for a slow machine.
  expect((user + system) / 1000).toBeLessThan(1000)
})

test('membership in a subnet agrees with node:net', () => {
  const ipv4 = fc.tuple(fc.ipV4(), fc.integer({ min: 1, max: 32 }))
  const ipv6 = fc.tuple(fc.ipV6(), fc.integer({ min: 1, max: 128 })).filter(([address]) => !address.includes('.'))
  fc.assert(
    fc.property(fc.oneof(ipv4, ipv6), fc.nat(), ([own, prefix], seed) => {
      const family = own.includes(':') ? 'ipv6' : 'ipv4'
      const one = { ...card('eth0', []), [family]: [{ address: own, prefix }] }
      const list = new BlockList()
      list.addSubnet(own, prefix, family)
      // An address anywhere is rarely inside the subnet. One that differs in a single bit often is.
      const others = [differingInOneBit(own, seed), fc.sample(family === 'ipv4' ? fc.ipV4() : fc.ipV6(), 1)[0] ?? own]
      return others
        .filter((other) => other !== own && (family === 'ipv4' || !/^fe[89ab].:|\./i.test(other)))
        .every((other) => {
          const filter = new SourceFilter([one], new Set(['eth0']), undefined)
          const unicast = filter.check('eth0', 'unicast', own, from(other))
          return unicast?.onLink === (list.check(other, family) || unicast?.own)
        })
    }),
  )
})

function differingInOneBit(address: string, seed: number): string {
  const bytes = ipaddr.parse(address).toByteArray()
  const bit = seed % (8 * bytes.length)
  bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (0x80 >> (bit & 7))
  return ipaddr.fromByteArray(bytes).toString()
}

import { BlockList } from 'node:net'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { broadcastAddress, contains, formatIpv4, parseIpv4, subnetOf } from '../../../src/io/net/subnet.ts'

const address = fc.ipV4()
const number = fc.integer({ min: 0, max: 0xffffffff })
const netmask = (prefix: number): string => formatIpv4(prefix === 0 ? 0 : (0xffffffff << (32 - prefix)) >>> 0)

test('addresses are read and written', () => {
  fc.assert(fc.property(address, (text) => formatIpv4(parseIpv4(text) ?? -1) === text))
  fc.assert(fc.property(number, (value) => parseIpv4(formatIpv4(value)) === value))
})

test('what is no IPv4 address is refused', () => {
  for (const text of [
    '',
    '1.2.3',
    '1.2.3.4.5',
    '1.2.3.256',
    '1..2.3',
    '1.2.3.',
    '.1.2.3',
    'fe80::1',
    '1.2.3.4 ',
    'a',
  ]) {
    expect(parseIpv4(text), text).toBeUndefined()
  }
  fc.assert(fc.property(fc.ipV6(), (text) => parseIpv4(text) === undefined))
})

test('the broadcast address is the last one of the subnet', () => {
  expect(broadcastAddress('192.168.1.7', '255.255.255.0')).toBe('192.168.1.255')
  expect(broadcastAddress('10.1.2.3', '255.255.252.0')).toBe('10.1.3.255')
  expect(broadcastAddress('127.0.0.1', '255.0.0.0')).toBe('127.255.255.255')
  fc.assert(
    fc.property(address, fc.integer({ min: 1, max: 30 }), (own, prefix) => {
      const subnet = subnetOf(own, netmask(prefix))
      const last = parseIpv4(broadcastAddress(own, netmask(prefix)) ?? '')
      if (subnet === undefined || last === undefined) return false
      return contains(subnet, last) && (last === 0xffffffff || !contains(subnet, last + 1))
    }),
  )
})

test('/31, /32, /0 and masks with holes have no broadcast address', () => {
  for (const mask of [netmask(31), netmask(32), netmask(0), '255.0.255.0', 'nonsense']) {
    expect(broadcastAddress('10.0.0.1', mask), mask).toBeUndefined()
  }
})

test('membership agrees with node:net', () => {
  fc.assert(
    fc.property(address, fc.integer({ min: 0, max: 32 }), number, number, (own, prefix, other, near) => {
      const subnet = subnetOf(own, netmask(prefix))
      const list = new BlockList()
      list.addSubnet(own, prefix, 'ipv4')
      if (subnet === undefined) return false
      // One anywhere, which is rarely inside, and one that shares the network's bits.
      const inside = (subnet.network | (near & ~subnet.mask)) >>> 0
      return [other, inside].every((one) => contains(subnet, one) === list.check(formatIpv4(one), 'ipv4'))
    }),
  )
})

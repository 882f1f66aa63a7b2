import type { NetworkInterfaceInfo } from 'node:os'
import { expect, test } from 'vitest'
import { readInterfaces } from '../../../src/io/net/interfaces.ts'

const ipv4 = (address: string): NetworkInterfaceInfo => ({
  ...{ family: 'IPv4', address, netmask: '255.255.255.0', cidr: `${address}/24`, mac: '02:00:00:00:00:01' },
  internal: false,
})
const ipv6 = (address: string): NetworkInterfaceInfo => ({
  ...{ family: 'IPv6', address, netmask: 'ffff:ffff:ffff:ffff::', cidr: `${address}/64`, mac: '02:00:00:00:00:01' },
  ...{ internal: false, scopeid: address.startsWith('fe80') ? 2 : 0 },
})

test('an address with a label belongs to its device', () => {
  const read = readInterfaces({
    lo: [ipv4('127.0.0.1')],
    'eth0:avahi': [ipv4('169.254.5.5')],
    eth0: [ipv4('10.0.0.1'), ipv6('fe80::1')],
    'lo:0': [ipv4('10.99.0.5')],
  })
  expect([...read.keys()]).toEqual(['lo', 'eth0'])
  expect(read.get('lo')?.ipv4.map(({ address }) => address)).toEqual(['127.0.0.1', '10.99.0.5'])
  expect(read.get('eth0')).toMatchObject({ name: 'eth0', linkLocal: 'fe80::1', index: 2 })
  expect(read.get('eth0')?.ipv4.map(({ address }) => address)).toEqual(['169.254.5.5', '10.0.0.1'])
})

test('a label need not have a colon', () => {
  const listing = { eth0: [ipv4('10.0.0.1')], eth0vip: [ipv4('10.0.0.100')], eth01: [ipv4('10.1.0.1')] }
  const isDevice = (name: string) => name !== 'eth0vip'
  expect([...readInterfaces(listing, new Map(), isDevice).keys()]).toEqual(['eth0', 'eth01'])
  expect([...readInterfaces(listing).keys()]).toEqual(['eth0', 'eth0vip', 'eth01'])
})

test('an IPv6 address that cannot be used is not told, and the link-local one tried all the same', () => {
  const eth0 = [ipv6('fe80::1'), ipv6('fd00::1'), ipv6('fd00::2')]
  const read = readInterfaces({ eth0 }, new Map([['eth0', new Set(['fe80::1', 'fd00::2'])]]))
  expect(read.get('eth0')?.ipv6.map(({ address }) => address)).toEqual(['fd00::1'])
  expect(read.get('eth0')?.linkLocal).toBe('fe80::1')
})

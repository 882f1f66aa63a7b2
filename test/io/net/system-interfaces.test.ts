import type { NetworkInterfaceInfo } from 'node:os'
import { expect, test } from 'vitest'
import { parseAddressProblems, parseDefaultInterfaces, readInterfaces } from '../../../src/io/net/system-interfaces.ts'

const ipv4 = (address: string): NetworkInterfaceInfo => ({
  ...{ family: 'IPv4', address, netmask: '255.255.255.0', cidr: `${address}/24`, mac: '02:00:00:00:00:01' },
  internal: false,
})
const ipv6 = (address: string): NetworkInterfaceInfo => ({
  ...{ family: 'IPv6', address, netmask: 'ffff:ffff:ffff:ffff::', cidr: `${address}/64`, mac: '02:00:00:00:00:01' },
  ...{ internal: false, scopeid: address.startsWith('fe80') ? 2 : 0 },
})

test('an address with a label belongs to its interface', () => {
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

test('a label may have no colon', () => {
  const listing = { eth0: [ipv4('10.0.0.1')], eth0vip: [ipv4('10.0.0.100')], eth01: [ipv4('10.1.0.1')] }
  const isDevice = (name: string) => name !== 'eth0vip'
  expect([...readInterfaces(listing, new Map(), isDevice).keys()]).toEqual(['eth0', 'eth01'])
  expect([...readInterfaces(listing).keys()]).toEqual(['eth0', 'eth0vip', 'eth01'])
})

test('an unusable IPv6 address is left out, but the link-local one is kept for another attempt', () => {
  const eth0 = [ipv6('fe80::1'), ipv6('fd00::1'), ipv6('fd00::2')]
  const read = readInterfaces({ eth0 }, new Map([['eth0', new Set(['fe80::1', 'fd00::2'])]]))
  expect(read.get('eth0')?.ipv6.map(({ address }) => address)).toEqual(['fd00::1'])
  expect(read.get('eth0')?.linkLocal).toBe('fe80::1')
})

test('tentative and duplicate IPv6 addresses are found, each with its interface', () => {
  const text = `00000000000000000000000000000001 01 80 10 80       lo
fe80000000000000000000fffe000055 02 40 20 c8     eth0
fd000000000000000000000000000002 02 40 00 40     eth0
fd000000000000000000000000000003 02 40 00 44     eth0
fe800000000000000000000000000066 03 40 20 80     eth1
`
  expect(parseAddressProblems(text)).toEqual(
    new Map([
      [
        'eth0',
        new Map([
          ['fe80::ff:fe00:55', 'duplicate'],
          ['fd00::2', 'tentative'],
        ]),
      ],
    ]),
  )
  expect(parseAddressProblems('nonsense\n\n1 2 3 4 5 6')).toEqual(new Map())
})

test('the interfaces of the default routes of both IP versions are found, without unreachable routes', () => {
  const route = `Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
br-lan\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
tun0\t00000000\t0100080A\t0003\t0\t0\t0\t00000080\t0\t0\t0
eth1\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
*\t00000000\t00000000\t0200\t0\t0\t0\t00000000\t0\t0\t0`
  const zero = '0'.repeat(32)
  const ipv6 = `fd00${'0'.repeat(28)} 40 ${zero} 00 ${zero} 00000100 00000001 00000000 00000001     eth2
${zero} 00 ${zero} 00 fd000000000000000000000000000001 00000400 00000002 00000000 00000003     eth3
${zero} 00 ${zero} 00 ${zero} ffffffff 00000001 00000000 00200200       lo`
  expect([...parseDefaultInterfaces(route, ipv6)]).toEqual(['br-lan', 'eth3'])
  expect([...parseDefaultInterfaces('', 'nonsense')]).toEqual([])
})

test('an address whose netmask has gaps counts as alone in its subnet', () => {
  const gaps: NetworkInterfaceInfo = { ...ipv4('10.0.0.1'), netmask: '255.0.255.0', cidr: null }
  expect(readInterfaces({ eth0: [gaps] }).get('eth0')?.ipv4).toEqual([{ address: '10.0.0.1', prefix: 32 }])
})

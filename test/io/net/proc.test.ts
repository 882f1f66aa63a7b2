import { expect, test } from 'vitest'
import { parseAddressTroubles, parseDefaultDevices } from '../../../src/io/net/proc.ts'

test('IPv6 addresses that are tentative or duplicate are told, each with its device', () => {
  const text = `00000000000000000000000000000001 01 80 10 80       lo
fe80000000000000000000fffe000055 02 40 20 c8     eth0
fd000000000000000000000000000002 02 40 00 40     eth0
fd000000000000000000000000000003 02 40 00 44     eth0
fe800000000000000000000000000066 03 40 20 80     eth1
`
  expect(parseAddressTroubles(text)).toEqual(
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
  expect(parseAddressTroubles('nonsense\n\n1 2 3 4 5 6')).toEqual(new Map())
})

test('the devices of default routes are told, of both IP versions, but not of unreachable ones', () => {
  const route = `Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
br-lan\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
tun0\t00000000\t0100080A\t0003\t0\t0\t0\t00000080\t0\t0\t0
eth1\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
*\t00000000\t00000000\t0200\t0\t0\t0\t00000000\t0\t0\t0`
  const zero = '0'.repeat(32)
  const ipv6 = `fd00${'0'.repeat(28)} 40 ${zero} 00 ${zero} 00000100 00000001 00000000 00000001     eth2
${zero} 00 ${zero} 00 fd000000000000000000000000000001 00000400 00000002 00000000 00000003     eth3
${zero} 00 ${zero} 00 ${zero} ffffffff 00000001 00000000 00200200       lo`
  expect([...parseDefaultDevices(route, ipv6)]).toEqual(['br-lan', 'eth3'])
  expect([...parseDefaultDevices('', 'nonsense')]).toEqual([])
})

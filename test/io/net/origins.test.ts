import { expect, test } from 'vitest'
import type { SystemInterface } from '../../../src/io/net/interfaces.ts'
import { Origins } from '../../../src/io/net/origins.ts'

const GROUP = '239.255.153.53'

function card(name: string, ipv4: string[], ipv6: string[] = []): SystemInterface {
  return {
    name,
    mac: '',
    index: 0,
    ipv4: ipv4.map((address) => ({ address, netmask: '255.255.255.0' })),
    ipv6: ipv6.map((address) => ({ address, prefix: 64 })),
    linkLocal: undefined,
  }
}

const machine = [
  card('eth0', ['10.0.0.1', '10.5.0.1'], ['fe80::1', 'fd00::1']),
  card('eth1', ['10.1.0.1'], ['fe80::2']),
  card('docker0', ['172.17.0.1']),
]
const origins = new Origins(machine, new Set(['eth0', 'eth1']), new Map([[GROUP, 'eth0']]))
const judge = (name: string, address: string) => origins.judge(name, 'multicast4', GROUP, address)

test('an interface keeps what comes from its own subnets', () => {
  expect(judge('eth0', '10.0.0.9')).toEqual({ onLink: true, own: false })
  expect(judge('eth0', '10.5.0.9')).toEqual({ onLink: true, own: false })
  expect(judge('eth1', '10.0.0.9')).toBeUndefined()
  expect(judge('eth1', '10.1.0.9')).toEqual({ onLink: true, own: false })
})

test('what it says itself is heard where it was said', () => {
  expect(judge('eth0', '10.0.0.1')).toEqual({ onLink: true, own: true })
  expect(judge('eth1', '10.0.0.1')).toBeUndefined()
})

test('a stranger is reported by one interface', () => {
  expect(judge('eth0', '8.8.8.8')).toEqual({ onLink: false, own: false })
  expect(judge('eth1', '8.8.8.8')).toBeUndefined()
})

test('on a port that is shared a stranger is reported by every interface, as any may be where it is', () => {
  const shared = new Origins(machine, new Set(['eth0', 'eth1']), undefined)
  const where = (address: string) =>
    ['eth0', 'eth1'].filter((name) => shared.judge(name, 'multicast4', GROUP, address)?.onLink === false)
  expect(where('169.254.29.54')).toEqual(['eth0', 'eth1'])
  expect(where('172.17.0.5')).toEqual([])
})

test('what comes from an interface that is left out is nobody’s', () => {
  for (const address of ['172.17.0.1', '172.17.0.5']) {
    expect(judge('eth0', address)).toBeUndefined()
    expect(judge('eth1', address)).toBeUndefined()
  }
})

test('unicast is always reported', () => {
  const unicast = (address: string) => origins.judge('eth1', 'unicast', '10.1.0.1', address)
  expect(unicast('10.1.0.9')).toEqual({ onLink: true, own: false })
  expect(unicast('10.0.0.9')).toEqual({ onLink: false, own: false })
  expect(unicast('172.17.0.5')).toEqual({ onLink: false, own: false })
  expect(unicast('10.0.0.1')).toEqual({ onLink: true, own: true })
})

test('IPv6: link-local and the own prefixes are on the link', () => {
  const heard = (name: string, address: string) => origins.judge(name, 'multicast6', 'ff12::1', address)
  expect(heard('eth1', 'fe80::99')).toEqual({ onLink: true, own: false })
  expect(heard('eth0', 'fd00::99')).toEqual({ onLink: true, own: false })
  expect(heard('eth1', 'fd00::99')).toEqual({ onLink: false, own: false })
  expect(heard('eth0', 'fe80::1')).toEqual({ onLink: true, own: true })
})

test('two interfaces in one subnet both keep what others say, each only its own words', () => {
  const twins = [card('eth0', ['10.0.0.1']), card('eth1', ['10.0.0.2'])]
  const both = new Origins(twins, new Set(['eth0', 'eth1']), new Map([[GROUP, 'eth0']]))
  const on = (address: string) =>
    ['eth0', 'eth1'].filter((name) => both.judge(name, 'broadcast', '10.0.0.255', address) !== undefined)
  expect(on('10.0.0.9')).toEqual(['eth0', 'eth1'])
  expect(on('10.0.0.2')).toEqual(['eth1'])
})

test('a flood of forged sources costs little', () => {
  // Time of this process, as others may keep the machine busy meanwhile.
  const begun = process.cpuUsage()
  for (let i = 0; i < 100_000; i++) judge('eth0', `11.${i >> 16}.${(i >> 8) & 255}.${i & 255}`)
  const { user, system } = process.cpuUsage(begun)
  // Microseconds each; the bound is wide for a slow machine.
  expect((user + system) / 1000).toBeLessThan(1000)
})

import { expect, test } from 'vitest'
import { type Choice, choose, type Devices, type Wishes } from '../../../src/io/net/choose.ts'

const DEVICES: Devices = { defaultDevices: () => new Set(['eth0']), exists: () => false }

function chosen(names: string[], wishes: Partial<Wishes> = {}, devices: Partial<Devices> = {}): Choice {
  return choose(names, { include: [], exclude: undefined, ...wishes }, { ...DEVICES, ...devices })
}

test('without patterns to include, all that is not excluded is used', () => {
  const names = ['lo', 'eth0', 'wlan0', 'docker0', 'br-0a1b2c3d4e5f', 'br0', 'veth1', 'wg0', 'ztabc', 'eth0.10']
  const { used, leftOut } = chosen(names)
  expect(used).toEqual(['eth0', 'wlan0', 'br0', 'ztabc', 'eth0.10'])
  expect(leftOut.map(({ name }) => name)).toEqual(['lo', 'docker0', 'br-0a1b2c3d4e5f', 'veth1', 'wg0'])
  expect(leftOut[1]).toEqual({
    name: 'docker0',
    cause: 'excluded',
    pattern: 'docker*',
    reason: 'matches docker* of --exclude (--interface docker0 would use it)',
  })
})

test('of the bridges only those that Docker names are left out', () => {
  const names = ['br-lan', 'br-ex', 'br-eth0', 'br-0a1b2c3d4e5', 'br-0a1b2c3d4e5g', 'br-0a1b2c3d4e5f']
  expect(chosen(names).leftOut.map(({ name }) => name)).toEqual(['br-0a1b2c3d4e5f'])
})

test('the interface of the default route is used, whatever it is called, but for tunnels and where it is excluded by hand', () => {
  const names = ['docker0', 'veth0', 'virbr0', 'tun0', 'wg0', 'lo']
  const devices = { defaultDevices: () => new Set(names) }
  expect(chosen(names, {}, devices).used).toEqual(['docker0', 'veth0', 'virbr0'])
  expect(chosen(names, { exclude: ['docker*', 'tun*'] }, devices).used).toEqual(['veth0', 'virbr0', 'wg0', 'lo'])
})

test('routes are read only where the built-in list leaves something out that they could bring back', () => {
  const defaultDevices = () => expect.unreachable()
  expect(chosen(['lo', 'eth0', 'wg0'], {}, { defaultDevices }).used).toEqual(['eth0'])
  expect(chosen(['lo', 'docker0'], { exclude: ['docker0'] }, { defaultDevices }).used).toEqual(['lo'])
})

test('what is included wins over what is excluded, and nothing else is used', () => {
  expect(chosen(['lo', 'eth0', 'docker0'], { include: ['lo', 'dock*'] })).toEqual({
    used: ['lo', 'docker0'],
    leftOut: [{ name: 'eth0', cause: 'not-named', reason: 'not named by --interface' }],
  })
})

test('an interface that is named and cannot be used is told, and which one was probably meant', () => {
  const told = (name: string, exists: boolean | undefined) =>
    chosen(['eth0'], { include: [name, 'wlan*'], exclude: [] }, { exists: () => exists }).leftOut.slice(1)
  expect(told('eht0', false)).toEqual([
    { name: 'eht0', cause: 'missing', nearest: 'eth0', reason: 'does not exist (did you mean eth0?)' },
  ])
  expect(told('bond7', false)).toEqual([{ name: 'bond7', cause: 'missing', reason: 'does not exist' }])
  expect(told('eth1', true)).toEqual([{ name: 'eth1', cause: 'no-address', reason: 'is down or has no address' }])
  expect(told('bond7', undefined)).toEqual([
    { name: 'bond7', cause: 'missing', reason: 'does not exist, is down or has no address' },
  ])
})

test('globs match whole names, and only *, ? and # are special', () => {
  const used = (pattern: string, name: string): boolean => chosen([name], { include: [pattern] }).used.length === 1
  expect(used('eth?', 'eth0')).toBe(true)
  expect(used('eth?', 'eth')).toBe(false)
  expect(used('eth?', 'eth10')).toBe(false)
  expect(used('eth0', 'eth0.5')).toBe(false)
  expect(used('eth0.*', 'eth0.5')).toBe(true)
  expect(used('eth0.5', 'eth0x5')).toBe(false)
  expect(used('x#', 'xf')).toBe(true)
  expect(used('x#', 'xg')).toBe(false)
  expect(used('[a-z]+', 'eth')).toBe(false)
  expect(used('(x|*', '(x|y')).toBe(true)
})

import { expect, onTestFinished, test, vi } from 'vitest'
import {
  InterfaceMonitor,
  type InterfacePatterns,
  type InterfaceSelection,
  type SystemFacts,
  selectInterfaces,
} from '../../../src/io/net/interface-monitor.ts'

const FACTS: SystemFacts = { defaultInterfaces: () => new Set(['eth0']), exists: () => false }

function select(
  names: string[],
  patterns: Partial<InterfacePatterns> = {},
  facts: Partial<SystemFacts> = {},
): InterfaceSelection {
  return selectInterfaces(names, { include: [], exclude: undefined, ...patterns }, { ...FACTS, ...facts })
}

test('without include patterns, every interface that is not excluded is used', () => {
  const names = ['lo', 'eth0', 'wlan0', 'docker0', 'br-0a1b2c3d4e5f', 'br0', 'veth1', 'wg0', 'ztabc', 'eth0.10']
  const { used, leftOut } = select(names)
  expect(used).toEqual(['eth0', 'wlan0', 'br0', 'ztabc', 'eth0.10'])
  expect(leftOut.map(({ name }) => name)).toEqual(['lo', 'docker0', 'br-0a1b2c3d4e5f', 'veth1', 'wg0'])
  expect(leftOut[1]).toEqual({
    name: 'docker0',
    cause: 'excluded',
    pattern: 'docker*',
    reason: 'matches docker* of --exclude (--interface docker0 would use it)',
  })
})

test('only the bridges that Docker creates are left out', () => {
  const names = ['br-lan', 'br-ex', 'br-eth0', 'br-0a1b2c3d4e5', 'br-0a1b2c3d4e5g', 'br-0a1b2c3d4e5f']
  expect(select(names).leftOut.map(({ name }) => name)).toEqual(['br-0a1b2c3d4e5f'])
})

test('the interface of the default route is used, unless it is a tunnel or the configuration excludes it', () => {
  const names = ['docker0', 'veth0', 'virbr0', 'tun0', 'wg0', 'lo']
  const facts = { defaultInterfaces: () => new Set(names) }
  expect(select(names, {}, facts).used).toEqual(['docker0', 'veth0', 'virbr0'])
  expect(select(names, { exclude: ['docker*', 'tun*'] }, facts).used).toEqual(['veth0', 'virbr0', 'wg0', 'lo'])
})

test('routes are read only if they could change the selection', () => {
  const defaultInterfaces = () => expect.unreachable()
  expect(select(['lo', 'eth0', 'wg0'], {}, { defaultInterfaces }).used).toEqual(['eth0'])
  expect(select(['lo', 'docker0'], { exclude: ['docker0'] }, { defaultInterfaces }).used).toEqual(['lo'])
})

test('include patterns win over exclude patterns, and no other interface is used', () => {
  expect(select(['lo', 'eth0', 'docker0'], { include: ['lo', 'dock*'] })).toEqual({
    used: ['lo', 'docker0'],
    leftOut: [{ name: 'eth0', cause: 'not-named', reason: 'not named by --interface' }],
  })
})

test('a named interface that cannot be used is reported, with the name that was probably meant', () => {
  const told = (name: string, exists: boolean | undefined) =>
    select(['eth0'], { include: [name, 'wlan*'], exclude: [] }, { exists: () => exists }).leftOut.slice(1)
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
  const used = (pattern: string, name: string): boolean => select([name], { include: [pattern] }).used.length === 1
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

test('one look serves all who watch, and no look is made when nobody watches any more', async () => {
  const monitor = new InterfaceMonitor({ include: [], exclude: [] }, 5)
  const list = vi.spyOn(monitor, 'look')
  const one = vi.fn()
  const other = vi.fn()
  const stopOne = monitor.watch(one)
  const stopOther = monitor.watch(other)
  await vi.waitFor(() => expect(other.mock.calls.length).toBeGreaterThan(5))
  expect(one).toHaveBeenCalledTimes(other.mock.calls.length)
  expect(list).toHaveBeenCalledTimes(other.mock.calls.length)
  expect(monitor.revision).toBe(1)
  stopOne()
  stopOther()
  const looks = other.mock.calls.length
  await new Promise((resolve) => setTimeout(resolve, 30))
  expect(other).toHaveBeenCalledTimes(looks)
})

test('after a change, the next looks come quickly, for a few seconds', () => {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  let lookNow = () => {}
  const monitor = new InterfaceMonitor({ include: [], exclude: [] }, 1000, (_interval, run) => {
    lookNow = run
    return () => {}
  })
  const list = vi.spyOn(monitor, 'look').mockImplementation(() => {})
  const stop = monitor.watch(() => {})
  lookNow()
  vi.advanceTimersByTime(10_000)
  expect(list).toHaveBeenCalledTimes(1)
  list.mockImplementationOnce(() => {
    monitor.revision++
  })
  lookNow()
  vi.advanceTimersByTime(250)
  expect(list).toHaveBeenCalledTimes(3)
  vi.advanceTimersByTime(10_000)
  expect(list).toHaveBeenCalledTimes(22)
  stop()
  expect(vi.getTimerCount()).toBe(0)
})

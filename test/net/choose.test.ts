import { expect, test } from 'vitest'
import { choose, DEFAULT_EXCLUDE } from '../../src/net/choose.ts'

test('without patterns to include, all that is not excluded is used', () => {
  const names = ['lo', 'eth0', 'wlan0', 'docker0', 'br-1a2b', 'br0', 'veth1', 'wg0', 'ztabc', 'eth0.10']
  const { used, leftOut } = choose(names, [], DEFAULT_EXCLUDE)
  expect(used).toEqual(['eth0', 'wlan0', 'br0', 'ztabc', 'eth0.10'])
  expect(leftOut.map(({ name }) => name)).toEqual(['lo', 'docker0', 'br-1a2b', 'veth1', 'wg0'])
  expect(leftOut[1]?.reason).toBe('matches docker* of --exclude (--interface docker0 would use it)')
})

test('what is included wins over what is excluded, and nothing else is used', () => {
  expect(choose(['lo', 'eth0', 'docker0'], ['lo', 'dock*'], DEFAULT_EXCLUDE)).toEqual({
    used: ['lo', 'docker0'],
    leftOut: [{ name: 'eth0', reason: 'not named by --interface' }],
  })
})

test('an interface that is named and not there is told', () => {
  expect(choose(['eth0'], ['eth1', 'wlan*'], []).leftOut).toEqual([
    { name: 'eth0', reason: 'not named by --interface' },
    { name: 'eth1', reason: 'does not exist, is down or has no address' },
  ])
})

test('globs match whole names, and only * and ? are special', () => {
  const used = (pattern: string, name: string): boolean => choose([name], [pattern], []).used.length === 1
  expect(used('eth?', 'eth0')).toBe(true)
  expect(used('eth?', 'eth')).toBe(false)
  expect(used('eth?', 'eth10')).toBe(false)
  expect(used('eth0', 'eth0.5')).toBe(false)
  expect(used('eth0.*', 'eth0.5')).toBe(true)
  expect(used('eth0.5', 'eth0x5')).toBe(false)
  expect(used('[a-z]+', 'eth')).toBe(false)
  expect(used('(x|*', '(x|y')).toBe(true)
})

import { expect, test } from 'vitest'
import { Faults } from '../../../src/io/net/faults.ts'

function failure(code: string): Error {
  return Object.assign(new Error(`send ${code}`), { code })
}

function recorded(): { faults: Faults; told: string[] } {
  const told: string[] = []
  const faults = new Faults(
    ({ interface: name, path, error }) => told.push(`fault ${name} ${path} ${error.message}`),
    ({ interface: name, path }) => told.push(`recovered ${name} ${path}`),
  )
  return { faults, told }
}

test('a fault is told once, when it has lasted a second, and so is its end', () => {
  const { faults, told } = recorded()
  for (let now = 0; now < 5000; now += 100) {
    faults.failed('eth0', 'broadcast', 'send', failure('EPERM'), now)
    faults.tick(now)
    if (now === 900) expect(told).toEqual([])
  }
  expect(told).toEqual(['fault eth0 broadcast send EPERM'])
  expect(faults.list()).toEqual([{ interface: 'eth0', path: 'broadcast', message: 'send EPERM' }])
  faults.worked('eth0', 'broadcast', 'open')
  expect(told).toHaveLength(1)
  faults.worked('eth0', 'broadcast', 'send')
  faults.worked('eth0', 'broadcast', 'send')
  expect(told).toEqual(['fault eth0 broadcast send EPERM', 'recovered eth0 broadcast'])
  expect(faults.list()).toEqual([])
})

test('what ends soon is not told at all', () => {
  const { faults, told } = recorded()
  for (let now = 0; now < 60_000; now += 900) {
    faults.failed('eth0', 'multicast4', 'send', failure('ENETUNREACH'), now)
    faults.tick(now)
    faults.worked('eth0', 'multicast4', 'send')
  }
  expect(told).toEqual([])
})

test('an address that cannot be bound yet has three seconds', () => {
  const { faults, told } = recorded()
  faults.failed('eth0', 'multicast6', 'open', failure('EADDRNOTAVAIL'), 0)
  faults.tick(2900)
  expect(told).toEqual([])
  faults.tick(3000)
  expect(told).toHaveLength(1)
})

test('a path that flaps is told every ten seconds at most', () => {
  const { faults, told } = recorded()
  for (let now = 0; now < 60_000; now += 500) {
    if (now % 2000 < 1500) faults.failed('eth0', 'unicast', 'send', failure('EPERM'), now)
    else faults.worked('eth0', 'unicast', 'send')
    faults.tick(now)
  }
  expect(told.filter((line) => line.startsWith('fault')).length).toBeLessThanOrEqual(6)
  expect(told.length).toBeGreaterThan(4)
})

test('the faults of a path that is gone are forgotten', () => {
  const { faults, told } = recorded()
  faults.failed('eth0', 'broadcast', 'open', failure('EACCES'), 0)
  faults.failed('eth1', 'broadcast', 'open', failure('EACCES'), 0)
  faults.forget('eth0', 'broadcast')
  faults.tick(5000)
  expect(told).toEqual(['fault eth1 broadcast send EACCES'])
})

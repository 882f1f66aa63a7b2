import { expect, test } from 'vitest'
import { Faults } from '../../../src/io/net/faults.ts'

function failure(code: string): Error {
  return Object.assign(new Error(`send ${code}`), { code })
}

function recorded(): { faults: Faults; reported: string[] } {
  const reported: string[] = []
  const faults = new Faults(
    ({ interface: name, path, error }) => reported.push(`fault ${name} ${path} ${error.message}`),
    ({ interface: name, path }) => reported.push(`recovered ${name} ${path}`),
  )
  return { faults, reported }
}

test('a fault is reported once, after a second, and so is its end', () => {
  const { faults, reported } = recorded()
  for (let now = 0; now < 5000; now += 100) {
    faults.failed('eth0', 'broadcast', 'send', failure('EPERM'), now)
    faults.report(now)
    if (now === 900) expect(reported).toEqual([])
  }
  expect(reported).toEqual(['fault eth0 broadcast send EPERM'])
  expect(faults.list()).toEqual([{ interface: 'eth0', path: 'broadcast', message: 'send EPERM' }])
  faults.succeeded('eth0', 'broadcast', 'open')
  expect(reported).toHaveLength(1)
  faults.succeeded('eth0', 'broadcast', 'send')
  faults.succeeded('eth0', 'broadcast', 'send')
  expect(reported).toEqual(['fault eth0 broadcast send EPERM', 'recovered eth0 broadcast'])
  expect(faults.list()).toEqual([])
})

test('a short failure is not reported', () => {
  const { faults, reported } = recorded()
  for (let now = 0; now < 60_000; now += 900) {
    faults.failed('eth0', 'multicast4', 'send', failure('ENETUNREACH'), now)
    faults.report(now)
    faults.succeeded('eth0', 'multicast4', 'send')
  }
  expect(reported).toEqual([])
})

test('for an address that cannot be bound, a fault is reported after three seconds', () => {
  const { faults, reported } = recorded()
  faults.failed('eth0', 'multicast6', 'open', failure('EADDRNOTAVAIL'), 0)
  faults.report(2900)
  expect(reported).toEqual([])
  faults.report(3000)
  expect(reported).toHaveLength(1)
})

test('a flapping path is reported every ten seconds at most', () => {
  const { faults, reported } = recorded()
  for (let now = 0; now < 60_000; now += 500) {
    if (now % 2000 < 1500) faults.failed('eth0', 'unicast', 'send', failure('EPERM'), now)
    else faults.succeeded('eth0', 'unicast', 'send')
    faults.report(now)
  }
  expect(reported.filter((line) => line.startsWith('fault')).length).toBeLessThanOrEqual(6)
  expect(reported.length).toBeGreaterThan(4)
})

test('the faults of a closed path are dropped', () => {
  const { faults, reported } = recorded()
  faults.failed('eth0', 'broadcast', 'open', failure('EACCES'), 0)
  faults.failed('eth1', 'broadcast', 'open', failure('EACCES'), 0)
  faults.forget('eth0', 'broadcast')
  faults.report(5000)
  expect(reported).toEqual(['fault eth1 broadcast send EACCES'])
})

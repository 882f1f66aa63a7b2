import { expect, test, vi } from 'vitest'
import { createIdentity } from '../../src/core/wire/identity.ts'
import { Discovery } from '../../src/daemon/discovery.ts'
import { Clock } from '../../src/io/system.ts'

/** A discovery whose sockets are not open. */
function closedDiscovery(clock: Clock, mdns: false | { browse: string[] } = { browse: [] }): Discovery {
  return new Discovery({
    identity: createIdentity(),
    incarnation: 1,
    profile: { name: 'kitchen', hostname: 'kitchen.lan', version: '1', services: [], attributes: {} },
    interval: 1000,
    budget: Number.POSITIVE_INFINITY,
    clock,
    net: { port: 15_397, group4: '239.255.41.1', group6: 'ff02::4141', include: ['lo'], exclude: undefined },
    mdns,
  })
}

/** Lets a peer become known whenever somebody asks. */
function letPeersCome({ presence }: Discovery): void {
  let index = 0
  vi.spyOn(presence, 'index', 'get').mockImplementation(() => index++)
}

/** A clock that only the test advances. */
function manualClock(): { clock: Clock; advance(time: number): void } {
  const clock = new Clock()
  let now = 0
  vi.spyOn(clock, 'now').mockImplementation(() => now)
  const advance = (time: number) => {
    now += time
  }
  return { clock, advance }
}

// Each of these would time out if the wait did not end.
test('the wait for the first answers ends when no peer becomes known', async () => {
  const { clock } = manualClock()
  await closedDiscovery(clock).firstAnswers(new AbortController().signal)
})

test('the wait for the first answers ends after two seconds while peers still become known', async () => {
  const { clock, advance } = manualClock()
  const discovery = closedDiscovery(clock)
  letPeersCome(discovery)
  let hasEnded = false
  const waiting = discovery.firstAnswers(new AbortController().signal).then(() => {
    hasEnded = true
  })
  advance(1999)
  await new Promise((resolve) => setTimeout(resolve, 100))
  expect(hasEnded).toBe(false)
  advance(1)
  await waiting
})

test('the wait for the first answers goes on while other programs use the processor', async () => {
  const { clock } = manualClock()
  let reads = 0
  // Every timer is late.
  vi.mocked(clock.now).mockImplementation(() => 100 * reads++)
  await closedDiscovery(clock).firstAnswers(new AbortController().signal)
  expect(reads).toBe(21)
})

test('the wait for the first answers ends when the start is aborted', async () => {
  const discovery = closedDiscovery(manualClock().clock)
  letPeersCome(discovery)
  const abort = new AbortController()
  const waiting = discovery.firstAnswers(abort.signal)
  abort.abort()
  await waiting
})

test('nothing is waited for without mDNS', async () => {
  const discovery = closedDiscovery(manualClock().clock, false)
  letPeersCome(discovery)
  await discovery.firstAnswers(new AbortController().signal)
})

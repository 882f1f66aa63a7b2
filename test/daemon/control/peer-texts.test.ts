import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { PeerView } from '../../../src/core/presence/peers/types.ts'
import { offerJson, peerJson } from '../../../src/daemon/control/api-json.ts'
import { PeerTexts } from '../../../src/daemon/control/peer-texts.ts'
import { BEGINNING, peerView } from './fixtures.ts'

let offset = BEGINNING
const wallClock = vi.fn((monotonic: number) => monotonic + offset)

beforeEach(() => {
  offset = BEGINNING
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

/** Whether the text of a peer was made anew. The clock is asked for each time in it. */
function isMade(texts: PeerTexts, view: PeerView): boolean {
  wallClock.mockClear()
  expect(texts.peer(view)).toBe(JSON.stringify(peerJson(view, (monotonic) => monotonic + offset)))
  return wallClock.mock.calls.length > 0
}

describe('the text of a peer', () => {
  test('is kept for equal views', () => {
    const texts = new PeerTexts(wallClock)
    texts.begin()
    const view = peerView(1)
    expect(isMade(texts, view)).toBe(true)
    expect(isMade(texts, view)).toBe(false)
    expect(isMade(texts, { ...view })).toBe(false)
    expect(isMade(texts, peerView(2))).toBe(true)
    texts.begin()
    expect(isMade(texts, { ...view })).toBe(false)
  })

  test.each<Partial<PeerView>>([
    { lastSeen: 1 },
    { state: 'left' },
    { services: [] },
    { rtt: 3 },
    { beacons: { heard: 61, lost: 1 } },
    { hidden: { id: 'x', name: 'y', because: 'claim' } },
  ])('is made anew after a change: %o', (given) => {
    const texts = new PeerTexts(wallClock)
    texts.begin()
    const view = peerView(1)
    expect(isMade(texts, view)).toBe(true)
    expect(isMade(texts, { ...view, ...given })).toBe(true)
    expect(isMade(texts, view)).toBe(true)
  })

  test('is made anew when the wall clock was set', () => {
    const texts = new PeerTexts(wallClock)
    texts.begin()
    const view = peerView(1)
    isMade(texts, view)
    offset += 3_600_000
    texts.begin()
    expect(isMade(texts, view)).toBe(true)
  })

  test('is dropped when no list was asked for within a minute', () => {
    const texts = new PeerTexts(wallClock)
    texts.begin()
    const view = peerView(1)
    isMade(texts, view)
    vi.advanceTimersByTime(59_000)
    texts.begin()
    vi.advanceTimersByTime(59_000)
    expect(isMade(texts, view)).toBe(false)
    vi.advanceTimersByTime(1000)
    expect(isMade(texts, view)).toBe(true)
  })

  test('is dropped when all texts together are too long', () => {
    const texts = new PeerTexts(wallClock)
    texts.begin()
    const first = peerView(0)
    const attributes = { long: 'x'.repeat(2 ** 20) }
    isMade(texts, first)
    for (let number = 1; number < 16; number++) isMade(texts, peerView(number, { attributes }))
    expect(isMade(texts, first)).toBe(false)
    isMade(texts, peerView(16, { attributes }))
    expect(isMade(texts, first)).toBe(true)
  })
})

test('the text of a service is kept with that of its peer', () => {
  const texts = new PeerTexts(wallClock)
  texts.begin()
  const view = peerView(1)
  const [service] = view.services
  if (!service) throw new Error('no service')
  const text = texts.offer(service, view)
  expect(text).toBe(JSON.stringify(offerJson(service, view)))
  expect(texts.offer(service, { ...view })).toBe(text)
  expect(texts.offer(service, { ...view, name: 'new' })).toContain('"name":"new"')
})

import type { Browser } from 'bonjour-service'
import type { Answer } from 'dns-packet'
import { afterEach, beforeEach, expect, vi } from 'vitest'
import { LibrarySegment, settle } from './library-segment.ts'
import { weakness } from './weakness.ts'

const LIBRARY = 'bonjour-service'

let segment: LibrarySegment
let events: string[]

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date'] })
  segment = new LibrarySegment()
  events = []
})
afterEach(() => {
  vi.useRealTimers()
})

async function browse(): Promise<Browser> {
  const browser = segment.host().bonjour.find({ type: 'http' })
  browser.on('up', ({ name }) => events.push(`up ${name}`))
  browser.on('down', ({ name }) => events.push(`down ${name}`))
  await settle()
  return browser
}

function records(name: string, ttl: number): Answer[] {
  const fqdn = `${name}._http._tcp.local`
  return [
    { name: '_http._tcp.local', type: 'PTR', ttl, data: fqdn },
    { name: fqdn, type: 'SRV', ttl, data: { port: 80, target: 'h.local' } },
    { name: fqdn, type: 'TXT', ttl, data: [Buffer.from('a=1')] },
  ]
}

weakness(
  LIBRARY,
  'keeps expired records, and reports living services as down when asked to expire them',
  'Finder',
  async () => {
    const browser = await browse()
    for (const name of ['Gone', 'Alive']) segment.send({ type: 'response', answers: records(name, 120) })
    for (let minute = 0; minute < 60; minute++) {
      await vi.advanceTimersByTimeAsync(60_000)
      segment.send({ type: 'response', answers: records('Alive', 120) })
    }
    expect(events).toEqual(['up Gone', 'up Alive'])
    browser.expire()
    expect(events.slice(2)).toEqual(['down Gone', 'down Alive'])
  },
)

weakness(
  LIBRARY,
  'reports a service before its address is known, and never reports the address',
  'Finder',
  async () => {
    const browser = await browse()
    segment.send({ type: 'response', answers: records('Office', 120) })
    expect(events).toEqual(['up Office'])
    expect(browser.services[0]?.addresses).toEqual([])
    segment.send({ type: 'response', answers: [{ name: 'h.local', type: 'A', ttl: 120, data: '192.0.2.7' }] })
    await settle()
    expect(browser.services[0]?.addresses).toEqual([])
    // It does not ask either.
    expect(segment.sent.filter(({ type }) => type === 'query')).toHaveLength(1)
  },
)

weakness(LIBRARY, 'cuts a name at its first dot', 'splitInstance() of records.ts', async () => {
  const browser = await browse()
  segment.send({ type: 'response', answers: records('Dr. Smith', 120) })
  expect(browser.services[0]).toMatchObject({ name: 'Dr', fqdn: 'Dr. Smith._http._tcp.local' })
})

weakness(LIBRARY, 'does not resolve a PTR record that arrives without its SRV record', 'Finder', async () => {
  await browse()
  segment.send({ type: 'response', answers: records('Office', 120).slice(0, 1) })
  await vi.advanceTimersByTimeAsync(3_600_000)
  expect(events).toEqual([])
  expect(segment.sent.filter(({ type }) => type === 'query')).toHaveLength(1)
  // It does not remember the record when the rest arrives by itself.
  segment.send({ type: 'response', answers: records('Office', 120).slice(1) })
  expect(events).toEqual([])
})

weakness(LIBRARY, 'queries only once', 'Finder', async () => {
  await browse()
  await vi.advanceTimersByTimeAsync(24 * 3_600_000)
  expect(segment.sent).toHaveLength(1)
})

weakness(LIBRARY, 'does not refresh records before they expire', 'Finder', async () => {
  await browse()
  segment.send({ type: 'response', answers: records('Office', 120) })
  await vi.advanceTimersByTimeAsync(119_000)
  expect(segment.sent.filter(({ type }) => type === 'query')).toHaveLength(1)
})

weakness(LIBRARY, 'stores an unlimited number of services', 'quotas.ts', async () => {
  const browser = await browse()
  for (let i = 0; i < 1000; i++) segment.send({ type: 'response', answers: records(`made up ${i}`, 120) })
  expect(browser.services).toHaveLength(1000)
})

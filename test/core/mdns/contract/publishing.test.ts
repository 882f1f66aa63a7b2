import os from 'node:os'
import { Service } from 'bonjour-service'
import { afterEach, beforeEach, expect, vi } from 'vitest'
import { LibrarySegment, settle, twoInterfaces } from './library-segment.ts'
import { weakness } from './weakness.ts'

const LIBRARY = 'bonjour-service'

let segment: LibrarySegment

beforeEach(() => {
  segment = new LibrarySegment()
  twoInterfaces()
})
afterEach(() => {
  vi.restoreAllMocks()
  vi.useRealTimers()
})

async function stop(service: Service | undefined): Promise<void> {
  await new Promise<void>((resolve) => service?.stop(resolve))
}

weakness(LIBRARY, 'removes records that services share together with one of them', 'Publisher', async () => {
  const { bonjour } = segment.host()
  const [a] = ['A', 'B'].map((name) => bonjour.publish({ name, type: 'http', port: 80, host: 'h.local', probe: false }))
  await settle()
  expect(await segment.ask('_http._tcp.local', 'PTR')).toHaveLength(2)
  expect(await segment.ask('h.local', 'A')).toHaveLength(2)
  await stop(a)
  const goodbye = segment.sent.at(-1)?.answers ?? []
  expect(goodbye.filter(({ name }) => name === 'h.local')).toMatchObject([{ ttl: 0 }, { ttl: 0 }])
  // B is still present, but nobody can find it.
  expect(await segment.ask('_http._tcp.local', 'PTR')).toEqual([])
  expect(await segment.ask('h.local', 'A')).toEqual([])
  expect(await segment.ask('B._http._tcp.local', 'SRV')).toHaveLength(1)
})

weakness(LIBRARY, 'writes a name conflict to the console and drops the service silently', 'Publisher', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const written = vi.spyOn(console, 'log').mockReturnValue()
  const [first, second] = [segment.host(), segment.host()]
  first.bonjour.publish({ name: 'Office', type: 'http', port: 80, probe: false })
  await settle()
  const loser = second.bonjour.publish({ name: 'Office', type: 'http', port: 80 })
  const told = vi.fn()
  for (const event of ['up', 'down', 'error', 'conflict', 'rename']) loser.on(event, told)
  await vi.advanceTimersByTimeAsync(5000)
  expect(written.mock.calls).toEqual([[expect.objectContaining({ message: expect.stringContaining('in use') })]])
  expect(told).not.toHaveBeenCalled()
  expect(loser).toMatchObject({ name: 'Office', activated: false, published: false })
})

weakness(LIBRARY, 'does not detect a conflict after a service is published', 'Publisher', async () => {
  const { bonjour } = segment.host()
  const service = bonjour.publish({ name: 'Office', type: 'http', port: 80, probe: false })
  await settle()
  const before = segment.sent.length + 1
  const data = { port: 9, target: 'other.local' }
  segment.send({ type: 'response', answers: [{ name: service.fqdn, type: 'SRV', ttl: 120, flush: true, data }] })
  await settle()
  expect(segment.sent.slice(before)).toEqual([])
  expect(service.published).toBe(true)
})

weakness(LIBRARY, 'probes without its records', 'Prober', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  segment.host().bonjour.publish({ name: 'Office', type: 'http', port: 80 })
  await vi.advanceTimersByTimeAsync(5000)
  const probes = segment.sent.filter(({ type }) => type === 'query')
  expect(probes).toHaveLength(3)
  for (const { authorities } of probes) expect(authorities).toEqual([])
})

weakness(LIBRARY, 'sends answers that the query lists as known', 'Responder', async () => {
  segment.host().bonjour.publish({ name: 'Office', type: 'http', port: 80, probe: false })
  await settle()
  const before = segment.sent.length + 1
  segment.send({
    type: 'query',
    questions: [{ name: '_http._tcp.local', type: 'PTR' }],
    answers: [{ name: '_http._tcp.local', type: 'PTR', ttl: 28_800, data: 'Office._http._tcp.local' }],
  })
  await settle()
  expect(segment.sent.slice(before)).toHaveLength(1)
})

weakness(LIBRARY, 'replaces dots in a name by dashes', 'claim.ts', () => {
  const service = segment.host().bonjour.publish({ name: 'Dr. Smith v1.5', type: 'http', port: 80, probe: false })
  expect(service.fqdn).toBe('Dr- Smith v1-5._http._tcp.local')
})

weakness(LIBRARY, 'refuses port 0', 'claim.ts', () => {
  const { bonjour } = segment.host()
  expect(() => bonjour.publish({ name: 'Office', type: 'http', port: 0, probe: false })).toThrow('`port`')
})

weakness(LIBRARY, 'publishes PTR records with a TTL of 8 hours, and never sets the cache-flush bit', 'claim.ts', () => {
  const service = segment.host().bonjour.publish({ name: 'O', type: 'http', port: 80, probe: false, subtypes: ['x'] })
  const pointers = service.records().filter(({ type, data }) => type === 'PTR' && data === service.fqdn)
  expect(pointers.map(({ ttl }) => ttl)).toEqual([28_800, 28_800])
  for (const record of service.records()) expect(record).not.toHaveProperty('flush')
})

weakness(LIBRARY, 'publishes the addresses of all interfaces on each interface', 'claim.ts', () => {
  const service = segment.host().bonjour.publish({ name: 'Office', type: 'http', port: 80, probe: false })
  const addresses = service.records().filter(({ type }) => type === 'A')
  expect(addresses.map(({ data }) => data)).toEqual(['192.0.2.1', '198.51.100.1'])
})

weakness(LIBRARY, 'throws errors of sending, unless it has an error callback', 'bonjour-instance.ts', async () => {
  const silent = segment.host()
  const spoken = vi.fn()
  const told = segment.host({}, spoken)
  for (const { bonjour, socket } of [silent, told]) {
    bonjour.publish({ name: 'Office', type: 'http', port: 80, probe: false })
    await settle()
    socket.broken = new Error('network is down')
  }
  segment.send({ type: 'query', questions: [{ name: '_http._tcp.local', type: 'PTR' }] })
  await settle()
  expect(silent.socket.thrown).toEqual([silent.socket.broken])
  expect(told.socket.thrown).toEqual([])
  expect(spoken).toHaveBeenCalledWith(told.socket.broken)
})

weakness(LIBRARY, 'reads the network interfaces of the machine to build the records of a service', 'claim.ts', () => {
  const nothing = () => {}
  const service = new Service({ name: 'Office', type: 'http', port: 80, host: 'h.local' }, nothing, nothing)
  vi.spyOn(os, 'networkInterfaces').mockImplementation(() => {
    throw new Error('uv_interface_addresses returned EMFILE')
  })
  expect(() => service.records()).toThrow('EMFILE')
})

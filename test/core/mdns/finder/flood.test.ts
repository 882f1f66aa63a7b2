import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { RecordCache } from '../../../../src/core/mdns/finder/record-cache.ts'
import { messageOf } from '../tools/arbitrary.ts'
import { a, Device, ETH0, ETH1, ptr, Stage, service, srv, txt } from './stage.ts'

const EMPTY = { hosts: { now: 0 }, services: { now: 0 }, txtBytes: { now: 0 } }

/** All methods that look up records in the cache. */
const LOOKS = ['entries', 'newest', 'knownAnswers', 'isKnownAnswer', 'has', 'countAddresses', 'pointer'] as const

/** A real device. */
function printer(): Device {
  return new Device(service('Office', 'printer.local', '10.0.0.9'))
}

describe('a flood of forged services', () => {
  it('from one source gets a quarter of all quotas, evicts no other host, and leaves nothing behind', () => {
    const stage = new Stage()
    stage.devices.push(printer())
    stage.run(1000)
    const before = process.cpuUsage()
    let made = 0
    for (let ms = 0; ms < 30_000; ms += 10) {
      for (let i = 0; i < 50; i++) {
        const name = `fake${made++}`
        stage.receive(
          service(name, `${name}.local`, '10.0.0.66').map((record) => ({ ...record, ttl: 86_400 })),
          { address: '10.0.0.66' },
        )
      }
      stage.run(10)
    }
    expect(made).toBe(150_000)
    const { user, system } = process.cpuUsage(before)
    // 30 s of flood, with time for a busy machine.
    expect((user + system) / 1e6).toBeLessThan(10)
    const { hosts, services } = stage.finder.limits
    expect(hosts.now).toBeLessThanOrEqual(256 + 1)
    expect(services.now).toBeLessThanOrEqual(1024 + 1)
    expect(hosts.full).toEqual(['10.0.0.66'])
    expect(services.full).toEqual(['10.0.0.66'])
    for (const [limit, most] of [['hosts', 256] as const, ['services', 1024] as const]) {
      expect(stage.notices).toContainEqual({ type: 'limit', limit, most, source: '10.0.0.66' })
    }
    expect(stage.notices.length).toBeLessThan(7)
    expect(stage.last('printer.local')?.state).toBe('alive')
    expect(stage.reports.length).toBeLessThan(2000)

    stage.receive(service('Other', 'other.local', '10.0.0.10'), { address: '10.0.0.10' })
    stage.run(2000)
    expect(stage.last('other.local')?.state).toBe('alive')
    const since = stage.now
    const asked = () => stage.sent.filter(({ at }) => at >= since).flatMap(({ out }) => out.message.questions).length
    stage.run(130_000)
    expect(asked()).toBeLessThan(130 * 25)
    expect(stage.finder.limits).toMatchObject({ hosts: { now: 1 }, services: { now: 1 } })
    expect(stage.states('printer.local')).toHaveLength(1)
  })

  it('from many sources fills the quotas but no more, and adds 20 new hosts per second', () => {
    const stage = new Stage()
    stage.devices.push(printer())
    stage.run(1000)
    const takenAt: number[] = []
    let made = 0
    for (let ms = 0; ms < 60_000; ms += 100) {
      for (let i = 0; i < 50; i++) {
        const [name, address] = [`fake${made}`, `10.0.${made % 64}.66`]
        stage.receive(service(name, `${name}.local`, address), { address })
        made++
      }
      stage.run(100)
      takenAt.push(stage.finder.limits.hosts.now)
    }
    expect(takenAt[0]).toBeLessThan(210)
    expect(takenAt[99]).toBeLessThan(200 + 20 * 10 + 10)
    expect(stage.finder.limits.services.now).toBe(4096)
    expect(stage.notices).toContainEqual({ type: 'limit', limit: 'services', most: 4096 })
    expect(stage.notices.length).toBeLessThan(5)
    stage.run(300_000)
    expect(stage.finder.limits).toMatchObject({ hosts: { now: 1 }, services: { now: 1 } })
    expect(stage.states('printer.local')).toHaveLength(1)
  })

  it('of PTR records alone causes few queries', () => {
    const stage = new Stage()
    for (let i = 0; i < 100_000; i++) {
      stage.receive([ptr(`fake${i}`)], { address: '10.0.0.66' })
      if (i % 500 === 0) stage.run(100)
    }
    const questions = stage.sent.flatMap(({ out }) => out.message.questions).length
    expect(questions).toBeLessThan(80 + 20 * 20 + 50)
    stage.run(30_000)
    expect(stage.finder.limits).toMatchObject(EMPTY)
  })

  it('of large TXT records stays within the quota of bytes', () => {
    const stage = new Stage()
    const large = Array.from({ length: 30 }, (_, i) => `${i}=${'x'.repeat(250)}`)
    for (let i = 0; i < 200; i++) {
      const name = `fake${i}`
      const [pointer, target, , address] = service(name, `${name}.local`, '10.0.0.66')
      if (pointer && target && address) stage.receive([pointer, target, txt(name, large), address])
    }
    expect(stage.finder.limits.txtBytes.now).toBeGreaterThan(500_000)
    expect(stage.finder.limits.txtBytes.now).toBeLessThanOrEqual(512 * 1024)
    stage.run(121_000)
    expect(stage.finder.limits).toMatchObject(EMPTY)
  })

  it('of one host ends at 256 services and is reported about once a second', () => {
    const stage = new Stage()
    for (let i = 0; i < 20_000; i++) {
      stage.receive([ptr(`fake${i}`), srv(`fake${i}`, 'many.local'), txt(`fake${i}`, []), a('many.local', '10.0.0.66')])
      if (i % 100 === 0) stage.run(100)
    }
    expect(stage.last('many.local')?.services).toHaveLength(256)
    expect(stage.finder.limits.services.now).toBe(256)
    // 20 s, the burst of ten, and the renewals.
    expect(stage.reports.length).toBeLessThan(10 + 20 + 5)
    stage.receive(service('Other', 'other.local', '10.0.0.10'))
    expect(stage.last('other.local')?.state).toBe('alive')
    stage.run(121_000)
    expect(stage.finder.limits).toMatchObject(EMPTY)
    expect(stage.states('many.local').at(-1)?.state).toBe('failed')
  })

  it.each([
    { what: 'one host', hosts: 1 },
    { what: 'many hosts', hosts: 128 },
  ])('of $what needs a constant number of cache lookups per service', ({ hosts }) => {
    const looks = (count: number) => {
      const spies = LOOKS.map((name) => vi.spyOn(RecordCache.prototype, name))
      const stage = new Stage()
      for (let i = 0; i < count; i++) {
        const host = `many${i % hosts}.local`
        stage.receive(service(`fake${i}`, host, '10.0.0.66').map((record) => ({ ...record, ttl: 15 })))
      }
      // The queries go unanswered although the hosts are present, so that all records expire together.
      for (let second = 0; second < 20; second++) {
        for (let i = 0; i < hosts; i++) stage.receive([a(`many${i}.local`, '10.0.0.66', 15)])
        stage.run(1000)
      }
      stage.run(20_000)
      expect(stage.finder.limits).toMatchObject(EMPTY)
      const calls = spies.reduce((sum, spy) => sum + spy.mock.calls.length, 0)
      vi.restoreAllMocks()
      return calls / count
    }
    expect(looks(256) / looks(128)).toBeLessThan(1.5)
  })

  it('of addresses of one host ends at 64, and cached addresses are renewed', () => {
    const stage = new Stage()
    const addresses = Array.from({ length: 100 }, (_, i) => a('printer.local', `10.0.1.${i + 1}`))
    stage.receive([ptr('Office'), srv('Office', 'printer.local'), txt('Office', []), ...addresses])
    expect(stage.last('printer.local')?.addresses).toHaveLength(64)
    stage.run(100_000)
    stage.receive([srv('Office', 'printer.local'), ...addresses])
    stage.run(50_000)
    expect(stage.last('printer.local')).toMatchObject({ state: 'alive' })
    expect(stage.last('printer.local')?.addresses).toHaveLength(64)
  })

  it('of records that replace each other keeps four per name', () => {
    const stage = new Stage()
    stage.receive(service('Office', 'printer.local', '10.0.0.9'))
    for (let i = 0; i < 1000; i++)
      stage.receive([txt('Office', [`n=${i}`]), srv('Office', 'printer.local', '_ipp._tcp', i)])
    expect(stage.finder.limits.txtBytes.now).toBeLessThan(30)
    stage.run(12_000)
    expect(stage.last('printer.local')?.services).toMatchObject([{ port: 999, txt: { n: '999' } }])
  })
})

describe('any sequence of messages', () => {
  const name = fc.oneof(
    fc.constantFrom('Office', 'Dr. X', 'a', '').map((label) => `${label}._ipp._tcp.local`),
    fc.constantFrom('printer.local', 'PRINTER.local', '_ipp._tcp.local', '_services._dns-sd._udp.local', '.local', ''),
    fc.string({ unit: 'binary', maxLength: 80 }),
  )
  const parts = { name, ipv4: fc.oneof(fc.ipV4(), fc.string()), ipv6: fc.oneof(fc.ipV6(), fc.string()) }
  const message = messageOf(parts, ['query', 'response', 'response', 'response'])
  const step = fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({
        message,
        on: fc.constantFrom('eth0', 'eth1'),
        wait: fc.integer({ min: 0, max: 200_000 }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ interfaces: fc.subarray([ETH0, ETH1]) }) },
  )

  it('throws nothing and is forgotten in the end', () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 40 }),
        fc.constantFrom<string[]>(['*'], ['_ipp._tcp']),
        (steps, browse) => {
          const stage = new Stage(browse, [ETH0, ETH1])
          for (const each of steps) {
            if ('interfaces' in each) stage.finder.setInterfaces(each.interfaces, stage.now)
            else {
              stage.receive([], { interface: each.on }, each.message)
              stage.run(each.wait)
            }
          }
          stage.run(25 * 3_600_000)
          expect(stage.finder.limits).toMatchObject(EMPTY)
          for (const { sighting } of stage.reports) {
            expect(sighting.addresses.length).toBeGreaterThan(0)
            expect(sighting.id).toMatch(/^[^.].*\.[^.]+$/s)
          }
          const last = new Map(stage.reports.map(({ sighting }) => [sighting.id, sighting.state]))
          for (const state of last.values()) expect(['failed', 'left']).toContain(state)
        },
      ),
      { numRuns: 150 },
    )
  })
})

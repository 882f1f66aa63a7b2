import { describe, expect, it } from 'vitest'
import type { Message } from '../../../../src/core/mdns/dns/messages.ts'
import type { ResourceRecord } from '../../../../src/core/mdns/dns/records.ts'
import { a, aaaa, Device, goodbye, ptr, Stage, service, srv, txt } from './stage.ts'

const HOST = 'esp.local'
const TYPE = '_http._tcp.local'
const HOUR = 3_600_000

/** A device that answers queries for only some of its records, each time with all its records. */
class PartialDevice extends Device {
  readonly #answersFor: (record: ResourceRecord) => boolean

  constructor(records: ResourceRecord[], answersFor: (record: ResourceRecord) => boolean) {
    super(records)
    this.#answersFor = answersFor
  }

  override answer(query: Message): ResourceRecord[] {
    return super.answer(query).some(this.#answersFor) ? this.records : []
  }
}

/** All records of one service. `ttl` is the TTL of the host's records, in seconds. */
function web(ttl: number): ResourceRecord[] {
  return [ptr('Home', '_http._tcp'), srv('Home', HOST, '_http._tcp', 80, ttl), txt('Home', ['v=1'], '_http._tcp', ttl)]
}

function states(stage: Stage): string[] {
  return stage.states(HOST).map(({ state }) => state)
}

describe('a living device', () => {
  it.each([
    ['its type', (record: ResourceRecord) => record.type === 'PTR'],
    ['its service', (record: ResourceRecord) => record.type === 'SRV'],
    ['its TXT record', (record: ResourceRecord) => record.type === 'TXT'],
    ['its host name', (record: ResourceRecord) => record.type === 'A'],
  ])('that answers with all its records, but only queries for %s, stays alive', (_, answersFor) => {
    for (const ttl of [2, 10, 20, 120, 3200]) {
      const stage = new Stage(['_http._tcp'])
      const device = new PartialDevice([...web(ttl), a(HOST, '10.0.0.9', 20)], answersFor)
      stage.devices.push(device)
      stage.receive(device.records)
      stage.run(Math.max(600_000, ttl * 1200))
      expect({ ttl, states: states(stage) }).toEqual({ ttl, states: ['alive'] })
      expect(stage.last(HOST)).toMatchObject({ addresses: [{ address: '10.0.0.9' }], services: [{ txt: { v: '1' } }] })
      device.alive = false
      stage.run(30_000)
      expect(states(stage).at(-1)).toBe('failed')
    }
  })

  it.each([
    ['its service, and never sends an address', ['SRV']],
    ['its TXT record, and never sends an address', ['TXT']],
    ['its type, and nothing else', ['PTR']],
    ['its addresses and its type, not for its service', ['A', 'AAAA', 'PTR']],
  ])('that answers only queries for %s keeps all its announced records', (_, answered) => {
    const stage = new Stage(['_http._tcp'])
    const all = [...web(20), a(HOST, '10.0.0.9', 20), aaaa(HOST, 'fe80::9', 20)]
    const device = new Device(all.filter(({ type }) => answered.includes(type)))
    stage.devices.push(device)
    stage.receive(all)
    stage.run(600_000)
    expect(states(stage)).toEqual(['alive'])
    expect(stage.last(HOST)).toMatchObject({ addresses: [{}, {}], services: [{ port: 80, txt: { v: '1' } }] })
    device.alive = false
    stage.run(2 * HOUR)
    expect(states(stage).at(-1)).toBe('failed')
    expect(stage.finder.limits).toMatchObject({ hosts: { now: 0 }, services: { now: 0 }, txtBytes: { now: 0 } })
  })

  it('is not queried for its service type after it has answered for its host', () => {
    const stage = new Stage(['_http._tcp'])
    stage.devices.push(new Device([...web(120), a(HOST, '10.0.0.9')]))
    stage.run(3 * HOUR)
    // The browsing queries for the type at 0, 1, 3, 7 … s, and one refresh of its PTR record.
    expect(stage.asked('PTR', TYPE).length).toBeLessThan(16 + 4)
  })
})

describe('a liveness check', () => {
  it('sends the known answers of other hosts, but not those that it queries', () => {
    const stage = new Stage(['_http._tcp'])
    const other = new Device(service('Other', 'other.local', '10.0.0.10', '_http._tcp'), '10.0.0.10')
    stage.devices.push(other)
    stage.receive([...web(20), a(HOST, '10.0.0.9', 20)])
    stage.run(15_500)
    const since = stage.now
    stage.run(3000)
    const asked = stage.sent.filter(
      ({ at, out }) => at >= since && out.message.questions.some(({ name }) => name === TYPE),
    )
    const known = asked.flatMap(({ out }) => out.message.answers)
    // The first one is a browsing query for the type.
    expect(known.slice(2)).toMatchObject([{ type: 'PTR', data: `Other.${TYPE}` }])
  })

  it('sends few questions, however many services the host has', () => {
    const stage = new Stage(['_http._tcp', '_ipp._tcp'])
    for (let i = 0; i < 200; i++)
      stage.receive(service(`Web ${i}`, HOST, '10.0.0.9', i % 2 ? '_http._tcp' : '_ipp._tcp'))
    stage.run(121_000)
    expect(stage.asked('PTR', TYPE).length).toBeLessThan(8 + 8)
    expect(states(stage)).toEqual(['alive', 'suspect', 'failed'])
  })
})

describe('a host that loses its last address', () => {
  it('has left, and returns with all its services when it announces another address', () => {
    for (const wait of [2000, 60_000, HOUR]) {
      const stage = new Stage(['_http._tcp'])
      const device = new Device([...web(120), a(HOST, '10.0.0.9')])
      stage.devices.push(device)
      stage.run(10_000)
      device.records = web(120)
      stage.receive(goodbye([a(HOST, '10.0.0.9')]))
      stage.run(wait)
      expect(states(stage)).toEqual(['alive', 'left'])
      stage.receive([a(HOST, '10.0.0.50')])
      expect(stage.last(HOST)).toMatchObject({
        state: 'alive',
        addresses: [{ address: '10.0.0.50' }],
        services: [{ name: 'Home' }],
      })
    }
  })

  it('is queried for another address and reported once', () => {
    const stage = new Stage(['_http._tcp'])
    const device = new Device([...web(120), a(HOST, '10.0.0.9')])
    stage.devices.push(device)
    stage.run(200_000)
    device.records = [...web(120), a(HOST, '10.0.0.50')]
    stage.receive(goodbye([a(HOST, '10.0.0.9')]))
    stage.run(3000)
    expect(states(stage)).toEqual(['alive', 'left', 'alive'])
    expect(stage.last(HOST)?.addresses).toMatchObject([{ address: '10.0.0.50' }])
  })

  it('is forgotten without another report when its services are no longer announced', () => {
    const stage = new Stage(['_http._tcp'])
    stage.receive([...web(120), a(HOST, '10.0.0.9')])
    stage.run(1000)
    stage.receive(goodbye([a(HOST, '10.0.0.9')]))
    stage.run(130_000)
    expect(states(stage)).toEqual(['alive', 'left'])
    expect(stage.finder.limits).toMatchObject({ hosts: { now: 0 }, services: { now: 0 }, txtBytes: { now: 0 } })
  })
})

describe('names are queried in the spelling', () => {
  it('of the device that announced them', () => {
    const stage = new Stage(['_http._tcp'])
    const all = [ptr('Tado', '_http._tcp'), srv('Tado', 'Tado-WR4.local', '_http._tcp'), txt('Tado', [], '_http._tcp')]
    stage.receive(all)
    stage.run(1000)
    stage.receive([a('Tado-WR4.local', '10.0.0.9')])
    stage.run(110_000)
    stage.finder.queryHost('tado-wr4.LOCAL', stage.now)
    stage.run(5000)
    const asked = stage.sent.flatMap(({ out }) => out.message.questions.map(({ name }) => name))
    const names = new Set(asked.filter((name) => name.toLowerCase().includes('tado')))
    expect(names).toEqual(new Set(['Tado._http._tcp.local', 'Tado-WR4.local']))
  })
})

import { describe, expect, it } from 'vitest'
import type { ResourceRecord } from '../../../../src/core/mdns/dns/records.ts'
import { a, aaaa, Device, goodbye, ptr, Stage, service, srv, txt } from './stage.ts'

/** Announcements that devices on real networks send and that have caused trouble for other programs. */

const PRINTER = 'printer.local'
const ANNOUNCEMENT = service('Office', PRINTER, '10.0.0.9')
const [POINTER, TARGET, TEXT, ADDRESS] = [
  ptr('Office'),
  srv('Office', PRINTER),
  txt('Office', ['k=v']),
  a(PRINTER, '10.0.0.9'),
]

function states(stage: Stage, id = PRINTER): string[] {
  return stage.states(id).map(({ state }) => state)
}

describe('a device is found', () => {
  it.each([
    ['in the additional section alone', [], ANNOUNCEMENT],
    ['with its address first and its PTR record last', [ADDRESS, TEXT, TARGET, POINTER], []],
    ['with each record twice', [...ANNOUNCEMENT, ...ANNOUNCEMENT], ANNOUNCEMENT],
    ['with names in different letter case', [POINTER, upper(TARGET), upper(TEXT), upper(ADDRESS)], []],
    ['with the cache-flush bit on all records', ANNOUNCEMENT.map((record) => ({ ...record, flush: true })), []],
    ['with the cache-flush bit on no record', ANNOUNCEMENT.map((record) => ({ ...record, flush: false })), []],
  ])('%s', (_, answers, additionals) => {
    const stage = new Stage()
    stage.receive(answers, {}, { additionals })
    expect(stage.last(PRINTER)).toMatchObject({
      state: 'alive',
      addresses: [{ address: '10.0.0.9' }],
      services: [{ name: 'Office', port: 631, txt: { k: 'v' } }],
    })
  })

  it('in a response with an id, with questions, and with the TC bit', () => {
    const stage = new Stage()
    const questions = [{ name: '_ipp._tcp.local', type: 'PTR' as const }]
    stage.receive(ANNOUNCEMENT, {}, { id: 4711, questions, truncated: true })
    expect(states(stage)).toEqual(['alive'])
  })

  it('over IPv6 alone', () => {
    const stage = new Stage()
    stage.receive([POINTER, TARGET, TEXT, aaaa(PRINTER, 'fe80::9')], { address: 'fe80::9' })
    expect(stage.last(PRINTER)?.addresses).toMatchObject([{ address: 'fe80::9', family: 'ipv6' }])
  })

  it('whose services have the same name as its host', () => {
    const stage = new Stage()
    const name = 'Office._ipp._tcp.local'
    const device = new Device([POINTER, srv('Office', name), TEXT, a(name, '10.0.0.9')])
    stage.devices.push(device)
    stage.receive(device.records)
    stage.run(600_000)
    expect(states(stage, name.toLowerCase())).toEqual(['alive'])
    expect(stage.last(name.toLowerCase())).toMatchObject({ name: 'Office', services: [{ name: 'Office' }] })
  })

  it('beside others in one message, each with its own addresses', () => {
    const stage = new Stage()
    const all = [1, 2, 3].flatMap((i) => [
      ...service(`Service ${i}`, `host${i}.local`, `10.0.0.${i}`),
      aaaa(`host${i}.local`, `fd00::${i}`),
    ])
    stage.receive(all.reverse(), { address: '10.0.0.1' })
    for (const i of [1, 2, 3]) {
      const addresses = [{ address: `10.0.0.${i}` }, { address: `fd00::${i}` }]
      expect(stage.last(`host${i}.local`)).toMatchObject({ addresses, services: [{ name: `Service ${i}` }] })
    }
  })

  it('whose records arrive one by one in any order', () => {
    for (const order of [ANNOUNCEMENT, [...ANNOUNCEMENT].reverse(), [TARGET, POINTER, ADDRESS, TEXT]]) {
      const stage = new Stage()
      stage.devices.push(new Device(ANNOUNCEMENT))
      for (const record of order) {
        stage.receive([record])
        stage.run(300)
      }
      stage.run(4000)
      expect(stage.last(PRINTER)).toMatchObject({ addresses: [{}], services: [{ txt: { k: 'v' } }] })
    }
  })

  it.each(['My\\032Printer', 'a\\.b', '"quoted"', 'ünïcödé 📠', 'cut \ufffd\ufffd', ' leading', '_x', '%s', '🖨'])(
    'with the name %s',
    (label) => {
      const stage = new Stage()
      const device = new Device(service(label, PRINTER, '10.0.0.9'))
      stage.devices.push(device)
      stage.receive(device.records)
      stage.run(300_000)
      expect(states(stage)).toEqual(['alive'])
      expect(stage.last(PRINTER)?.services).toMatchObject([{ name: label }])
    },
  )

  it.each([
    ['no string', []],
    ['an empty string', ['']],
  ])('with %s in its TXT record, which mean the same', (_, strings) => {
    const stage = new Stage()
    stage.receive([POINTER, TARGET, txt('Office', strings), ADDRESS])
    const before = stage.reports.length
    stage.run(100)
    stage.receive([txt('Office', []), txt('Office', ['']), txt('Office', ['', ''])])
    expect(stage.reports).toHaveLength(before)
    expect(stage.last(PRINTER)?.services).toMatchObject([{ txt: {} }])
  })
})

describe('a record with both a goodbye and an announcement', () => {
  it.each([
    ['goodbye first', [...goodbye(ANNOUNCEMENT), ...ANNOUNCEMENT]],
    ['announcement first', [...ANNOUNCEMENT, ...goodbye(ANNOUNCEMENT)]],
  ])('in one message, %s, exists', (_, answers) => {
    const stage = new Stage()
    stage.receive(ANNOUNCEMENT)
    stage.run(3000)
    stage.receive(answers)
    stage.run(3000)
    expect(states(stage)).toEqual(['alive'])
    expect(stage.last(PRINTER)).toMatchObject({ addresses: [{}], services: [{}] })
  })

  it('with another port some seconds later is a service with that port', () => {
    for (const wait of [500, 3000, 12_000]) {
      const stage = new Stage()
      stage.receive([...ANNOUNCEMENT, ...service('Admin', PRINTER, '10.0.0.9', '_http._tcp')])
      stage.run(3000)
      stage.receive(goodbye([TARGET]))
      stage.run(wait)
      expect(stage.last(PRINTER)?.services).toHaveLength(wait > 1000 ? 1 : 2)
      stage.receive([srv('Office', PRINTER, '_ipp._tcp', 8631)])
      stage.run(1500)
      expect(stage.last(PRINTER)?.services).toMatchObject([{ name: 'Admin' }, { name: 'Office', port: 8631 }])
    }
  })

  it('for the last service of a host, with another port, is a host that was absent', () => {
    const stage = new Stage()
    stage.receive(ANNOUNCEMENT)
    stage.run(3000)
    stage.receive(goodbye([TARGET]))
    stage.run(3000)
    stage.receive([srv('Office', PRINTER, '_ipp._tcp', 8631), ADDRESS])
    stage.run(1500)
    expect(states(stage)).toEqual(['alive', 'left', 'alive'])
    expect(stage.last(PRINTER)?.services).toMatchObject([{ port: 8631, txt: { k: 'v' } }])
  })

  it('that follows too late is forgotten', () => {
    const stage = new Stage()
    stage.receive(ANNOUNCEMENT)
    stage.receive(goodbye([TARGET]))
    stage.run(20_000)
    expect(states(stage)).toEqual(['alive', 'left'])
    expect(stage.finder.limits).toMatchObject({ hosts: { now: 0 }, services: { now: 0 }, txtBytes: { now: 0 } })
  })

  it('for TXT is a service without TXT until the next announcement', () => {
    const stage = new Stage()
    stage.receive(ANNOUNCEMENT)
    stage.receive(goodbye([TEXT]))
    stage.run(1500)
    expect(stage.last(PRINTER)?.services).toMatchObject([{ txt: {} }])
    stage.receive([txt('Office', ['k=w'])])
    expect(stage.last(PRINTER)?.services).toMatchObject([{ txt: { k: 'w' } }])
  })

  it('for an unknown service has no effect', () => {
    const stage = new Stage()
    stage.receive(goodbye(ANNOUNCEMENT))
    stage.run(5000)
    expect(stage.reports).toEqual([])
    expect(stage.asked('SRV', 'Office._ipp._tcp.local')).toEqual([])
  })
})

describe('several addresses', () => {
  it('announced one by one within a second, each with the cache-flush bit, are all kept', () => {
    const stage = new Stage()
    stage.receive(ANNOUNCEMENT)
    for (const address of ['10.0.0.10', '10.0.0.11']) {
      stage.run(300)
      stage.receive([a(PRINTER, address)])
    }
    stage.run(5000)
    expect(stage.last(PRINTER)?.addresses).toHaveLength(3)
  })

  it('that are announced over their own IP version do not flush those of the other', () => {
    const stage = new Stage()
    stage.receive(ANNOUNCEMENT)
    stage.run(3000)
    stage.receive([POINTER, TARGET, TEXT, aaaa(PRINTER, 'fd00::9')], { address: 'fe80::9' })
    stage.run(5000)
    expect(stage.last(PRINTER)?.addresses).toHaveLength(2)
  })

  it('of a device that changed its address without a cache flush are dropped when it answers with the new one only', () => {
    const stage = new Stage()
    const moved = { ...a(PRINTER, '10.0.0.50'), flush: false }
    stage.receive(ANNOUNCEMENT)
    stage.run(5000)
    stage.devices.push(new Device([POINTER, TARGET, TEXT, moved]))
    stage.receive([moved])
    stage.run(130_000)
    expect(states(stage)).toEqual(['alive'])
    expect(stage.last(PRINTER)?.addresses).toMatchObject([{ address: '10.0.0.50' }])
  })
})

describe('two devices with the same instance name', () => {
  const esp = (host: string, port: number) => [
    ptr('Esp', '_http._tcp'),
    srv('Esp', host, '_http._tcp', port),
    txt('Esp', [], '_http._tcp'),
  ]

  it('and the same host name are one host with both addresses', () => {
    const stage = new Stage()
    for (const i of [5, 6]) {
      stage.devices.push(new Device([...esp('esp.local', 80), a('esp.local', `10.0.0.${i}`)], `10.0.0.${i}`))
    }
    stage.run(3_600_000)
    expect(states(stage, 'esp.local')).toEqual(['alive'])
    expect(stage.last('esp.local')?.addresses).toHaveLength(2)
  })

  it('and different host names are shown as one of them, with few changes, and as the other when the first is gone', () => {
    const stage = new Stage()
    const devices = [5, 6].map(
      (i) => new Device([...esp(`esp${i}.local`, 80 + i), a(`esp${i}.local`, `10.0.0.${i}`)], `10.0.0.${i}`),
    )
    stage.devices.push(...devices)
    const there = () => [5, 6].filter((i) => stage.last(`esp${i}.local`)?.state === 'alive')
    stage.run(3_600_000)
    expect(stage.reports.filter(({ sighting }) => sighting.state !== 'alive').length).toBeLessThan(5)
    const [one, ...more] = there()
    expect(more).toEqual([])
    expect(stage.last(`esp${one}.local`)?.services).toMatchObject([{ port: 80 + (one ?? 0) }])
    for (const device of devices) device.alive = device.address !== `10.0.0.${one}`
    stage.run(200_000)
    expect(there()).toEqual([one === 5 ? 6 : 5])
  })
})

it('a PTR record with a TTL of ten seconds is queried no more often than one with two minutes', () => {
  const stage = new Stage()
  const since = stage.now
  stage.devices.push(new Device([ptr('Office', '_ipp._tcp', 10), TARGET, TEXT, ADDRESS]))
  stage.run(600_000)
  expect(stage.asked('PTR', '_ipp._tcp.local', since).length).toBeLessThan(10 + 600 / (120 * 0.8) + 2)
  expect(states(stage)).toEqual(['alive'])
})

function upper(record: ResourceRecord): ResourceRecord {
  const name = record.name.toUpperCase()
  return record.type === 'SRV'
    ? { ...record, name, data: { ...record.data, target: record.data.target.toUpperCase() } }
    : { ...record, name }
}

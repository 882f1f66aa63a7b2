import { describe, expect, it } from 'vitest'
import { a, aaaa, Device, ETH0, ETH1, goodbye, ptr, Stage, service, srv, txt } from './stage.ts'

const PRINTER = 'printer.local'
const ANNOUNCEMENT = service('Office', 'Printer.local', '10.0.0.9')

describe('a sighting', () => {
  it('contains the services and addresses of a host after one announcement', () => {
    const stage = new Stage()
    stage.receive([...ANNOUNCEMENT, aaaa('printer.local', 'fe80::9')])
    expect(stage.reports).toHaveLength(1)
    expect(stage.last(PRINTER)).toEqual({
      id: 'printer.local',
      hostname: 'Printer.local',
      name: 'Printer',
      state: 'alive',
      addresses: [
        { address: '10.0.0.9', family: 'ipv4', interface: 'eth0' },
        { address: 'fe80::9', family: 'ipv6', interface: 'eth0' },
      ],
      services: [
        { id: 'Office._ipp._tcp', name: 'Office', type: '_ipp._tcp', port: 631, txt: { k: 'v' }, subtypes: [] },
      ],
      version: '',
      lastSeen: 1000,
      heardOn: [{ interface: 'eth0', lastHeard: 1000 }],
      claim: undefined,
    })
  })

  it('accepts records in any order and in the additional section', () => {
    const stage = new Stage()
    const [pointer, ...rest] = ANNOUNCEMENT
    stage.receive([...(pointer ? [pointer] : [])], {}, { additionals: rest.reverse() })
    expect(stage.last(PRINTER)?.services).toHaveLength(1)
  })

  it('contains all services of a host, sorted', () => {
    const stage = new Stage()
    stage.receive([...ANNOUNCEMENT, ...service('Admin', 'printer.local', '10.0.0.9', '_http._tcp')])
    expect(stage.last(PRINTER)?.services.map(({ id }) => id)).toEqual(['Admin._http._tcp', 'Office._ipp._tcp'])
  })

  it('lists a service without a TXT record after one second', () => {
    const stage = new Stage()
    stage.receive([ptr('Office'), srv('Office', PRINTER), a(PRINTER, '10.0.0.9')])
    expect(stage.reports).toEqual([])
    stage.run(900)
    expect(stage.reports).toEqual([])
    stage.run(200)
    expect(stage.last(PRINTER)?.services).toMatchObject([{ name: 'Office', txt: {} }])
    stage.receive([txt('Office', ['color=T'])])
    expect(stage.last(PRINTER)?.services).toMatchObject([{ txt: { color: 'T' } }])
  })

  it('contains id, version and name of an earshot daemon, and does not list its _earshot service', () => {
    const stage = new Stage()
    const id = 'abcdefghijklmnopqrstuvwxyz'
    stage.receive([
      ptr('Sam’s laptop', '_earshot._udp'),
      srv('Sam’s laptop', 'abcdefghij.local', '_earshot._udp', 15353),
      txt('Sam’s laptop', [`id=${id}`, 'v=1.2.3'], '_earshot._udp'),
      a('abcdefghij.local', '10.0.0.9'),
    ])
    const expected = { claim: id, version: '1.2.3', name: 'Sam’s laptop', services: [] }
    expect(stage.last('abcdefghij.local')).toMatchObject(expected)
  })

  it('keeps dots and unusual characters in an instance name', () => {
    const stage = new Stage()
    stage.receive(service('Dr. Who v2.0._x', PRINTER, '10.0.0.9'))
    expect(stage.last(PRINTER)?.services).toMatchObject([{ name: 'Dr. Who v2.0._x', id: 'Dr. Who v2.0._x._ipp._tcp' }])
  })

  it('is not made for names with control characters, nor for hosts outside .local without an address', () => {
    const stage = new Stage()
    stage.receive(service('Of\u001bfice', PRINTER, '10.0.0.9'))
    stage.receive(service('Office', 'prin\nter.local', '10.0.0.9'))
    stage.receive(service('Other', 'printer.example', '10.0.0.9').slice(0, 3))
    for (const target of ['printer', '10.0.0.9', '.', '.local', 'printer.']) {
      stage.receive(service('Another', target, '10.0.0.9'))
    }
    stage.run(20_000)
    expect(stage.reports).toEqual([])
    expect(stage.finder.limits).toMatchObject({ hosts: { now: 0 }, services: { now: 0 }, txtBytes: { now: 0 } })
  })

  it('is made for a host outside .local that sends its address along', () => {
    const stage = new Stage()
    const [pointer, target, text, address] = service('Office', 'Printer.Example.com', '10.0.0.9')
    const device = new Device([pointer, target, text, address].flatMap((record) => record ?? []))
    stage.receive(device.records)
    expect(stage.last('printer.example.com')).toMatchObject({
      name: 'Printer',
      hostname: 'Printer.Example.com',
      addresses: [{ address: '10.0.0.9' }],
      services: [{ name: 'Office' }],
    })
    stage.devices.push(device)
    stage.run(600_000)
    expect(stage.states('printer.example.com')).toHaveLength(1)
  })

  it('does not contain services with port 0, which are not offered', () => {
    const stage = new Stage(['_ipp._tcp', '_printer._tcp'])
    const placeholder = [ptr('Office', '_printer._tcp'), srv('Office', PRINTER, '_printer._tcp', 0)]
    stage.receive([...ANNOUNCEMENT, ...placeholder, txt('Office', [], '_printer._tcp')])
    expect(stage.last(PRINTER)?.services).toMatchObject([{ type: '_ipp._tcp', port: 631 }])
    stage.run(2000)
    stage.receive([srv('Office', PRINTER, '_printer._tcp', 515)])
    expect(stage.last(PRINTER)?.services).toMatchObject([{ port: 631 }, { port: 515 }])
    stage.run(2000)
    stage.receive([srv('Office', PRINTER, '_printer._tcp', 0)])
    expect(stage.last(PRINTER)?.services).toMatchObject([{ port: 631 }])
  })

  it('does not contain addresses that no other host can have', () => {
    const stage = new Stage()
    const impossible = ['127.0.0.1', '0.0.0.0', '224.0.0.251', '255.255.255.255'].map((address) => a(PRINTER, address))
    const impossible6 = ['::1', '::', 'ff02::fb', '::ffff:10.0.0.9'].map((address) => aaaa(PRINTER, address))
    stage.receive([...ANNOUNCEMENT, ...impossible, ...impossible6])
    expect(stage.last(PRINTER)?.addresses).toEqual([{ address: '10.0.0.9', family: 'ipv4', interface: 'eth0' }])
  })

  it('is made for a source address outside the subnet: multicast comes from the link', () => {
    const stage = new Stage()
    stage.receive(ANNOUNCEMENT, { address: '169.254.29.54', onLink: false })
    expect(stage.last(PRINTER)).toBeDefined()
  })

  it('is not made for messages from other ports, nor for queries', () => {
    const stage = new Stage()
    stage.receive(ANNOUNCEMENT, { port: 40_000 })
    stage.receive(ANNOUNCEMENT, { interface: 'eth7' })
    stage.receive(ANNOUNCEMENT, {}, { kind: 'query' })
    stage.run(5000)
    expect(stage.reports).toEqual([])
  })

  it('is not made for this host', () => {
    const stage = new Stage()
    stage.ownHostname = 'Printer.local'
    stage.receive(ANNOUNCEMENT)
    stage.run(5000)
    expect(stage.reports).toEqual([])
    expect(stage.asked('SRV', 'Office._ipp._tcp.local')).toEqual([])
  })

  it('is reported at once after a change, and at most once a second if the host is only seen again', () => {
    const stage = new Stage()
    for (let i = 0; i < 50; i++) {
      stage.receive(ANNOUNCEMENT)
      stage.run(100)
    }
    expect(stage.reports).toHaveLength(5)
    stage.receive([txt('Office', ['k=w'])])
    expect(stage.reports).toHaveLength(6)
    expect(stage.last(PRINTER)?.lastSeen).toBe(stage.now)
  })

  it('is reported about once a second if the host changes all the time, and ends with the final state', () => {
    const stage = new Stage()
    stage.receive(ANNOUNCEMENT)
    for (let i = 0; i < 100; i++) {
      stage.receive([srv('Office', PRINTER, '_ipp._tcp', 1000 + i)])
      stage.run(100)
    }
    stage.run(2000)
    expect(stage.reports.length).toBeLessThan(25)
    expect(stage.last(PRINTER)?.services).toMatchObject([{ port: 1099 }])
  })
})

describe('several interfaces', () => {
  it('report the addresses of one host separately', () => {
    const stage = new Stage(['_ipp._tcp'], [ETH0, ETH1])
    stage.receive(ANNOUNCEMENT)
    stage.receive(service('Office', PRINTER, '10.1.0.9'), { interface: 'eth1', address: '10.1.0.9' })
    expect(stage.last(PRINTER)).toMatchObject({
      addresses: [
        { address: '10.0.0.9', interface: 'eth0' },
        { address: '10.1.0.9', interface: 'eth1' },
      ],
      services: [{ id: 'Office._ipp._tcp' }],
    })
  })

  it('report two hosts if both use the same instance name', () => {
    const stage = new Stage(['_ipp._tcp'], [ETH0, ETH1])
    stage.receive(service('Office', 'one.local', '10.0.0.9'))
    stage.receive(service('Office', 'two.local', '10.1.0.9'), { interface: 'eth1', address: '10.1.0.9' })
    expect(stage.last('one.local')).toMatchObject({ state: 'alive', services: [{ name: 'Office' }] })
    expect(stage.last('two.local')).toMatchObject({ state: 'alive', services: [{ name: 'Office' }] })
  })

  it('keep their records if they return within 5 s with the same address, and lose them with another address', () => {
    const stage = new Stage(['_ipp._tcp'], [ETH0])
    stage.receive(ANNOUNCEMENT)
    stage.run(1000)
    stage.finder.setInterfaces([], stage.now)
    stage.run(4000)
    stage.finder.setInterfaces([ETH0], stage.now)
    stage.run(10_000)
    expect(stage.states(PRINTER).map(({ state }) => state)).toEqual(['alive'])
    stage.finder.setInterfaces([{ ...ETH0, addresses: [{ address: '192.168.7.7', family: 'ipv4' }] }], stage.now)
    expect(stage.last(PRINTER)?.state).toBe('failed')
  })

  it('lose their records when they are gone, and are queried at once when they appear', () => {
    const stage = new Stage(['_ipp._tcp'], [ETH0, ETH1])
    stage.run(100_000)
    stage.receive(ANNOUNCEMENT)
    stage.receive(service('Office', PRINTER, '10.1.0.9'), { interface: 'eth1', address: '10.1.0.9' })
    stage.finder.setInterfaces([ETH1], stage.now)
    stage.run(5000)
    expect(stage.last(PRINTER)).toMatchObject({ state: 'alive', addresses: [{ interface: 'eth1' }] })
    expect(stage.last(PRINTER)?.heardOn.map((each) => each.interface)).toEqual(['eth1'])
    stage.finder.setInterfaces([], stage.now)
    expect(stage.last(PRINTER)?.state).toBe('alive')
    stage.run(5000)
    expect(stage.last(PRINTER)?.state).toBe('failed')
    expect(stage.finder.limits).toMatchObject({ hosts: { now: 0 }, services: { now: 0 }, txtBytes: { now: 0 } })
    const since = stage.now
    stage.run(10_000)
    expect(stage.asked('PTR', '_ipp._tcp.local', since)).toEqual([])
    stage.finder.setInterfaces([ETH0], stage.now)
    stage.run(150)
    expect(stage.asked('PTR', '_ipp._tcp.local', since)).toHaveLength(1)
  })
})

describe('goodbyes and cache flushes', () => {
  it('remove a service after one second, and its host with the last service', () => {
    const stage = new Stage()
    const second = service('Admin', PRINTER, '10.0.0.9', '_http._tcp')
    stage.receive([...ANNOUNCEMENT, ...second])
    stage.receive(goodbye(second.slice(0, 3)))
    stage.run(900)
    expect(stage.last(PRINTER)?.services).toHaveLength(2)
    stage.run(200)
    expect(stage.last(PRINTER)).toMatchObject({ state: 'alive', services: [{ name: 'Office' }] })
    stage.receive(goodbye([ptr('Office')]))
    stage.run(1100)
    expect(stage.last(PRINTER)).toMatchObject({ state: 'left', services: [{ name: 'Office' }] })
    expect(stage.finder.limits).toMatchObject({ hosts: { now: 0 }, services: { now: 0 }, txtBytes: { now: 0 } })
  })

  it('report a host once if all its services say goodbye', () => {
    const stage = new Stage()
    const all = [...ANNOUNCEMENT, ...service('Admin', PRINTER, '10.0.0.9', '_http._tcp')]
    stage.receive(all)
    const before = stage.reports.length
    for (let i = 0; i < 3; i++) {
      stage.receive(goodbye(all))
      stage.run(100)
    }
    stage.run(2000)
    expect(stage.reports.slice(before)).toMatchObject([{ at: 2000, sighting: { state: 'left', services: [{}, {}] } }])
  })

  it('have no effect if the record is received again within a second', () => {
    const stage = new Stage()
    stage.receive(ANNOUNCEMENT)
    stage.receive(goodbye(ANNOUNCEMENT))
    stage.run(500)
    stage.receive(ANNOUNCEMENT)
    stage.run(5000)
    expect(stage.states(PRINTER)).toMatchObject([{ state: 'alive' }])
  })

  it('replace records older than one second, but not those of the same announcement', () => {
    const stage = new Stage()
    stage.receive([...ANNOUNCEMENT, a(PRINTER, '10.0.0.10')])
    expect(stage.last(PRINTER)?.addresses).toHaveLength(2)
    stage.run(5000)
    stage.receive([a(PRINTER, '10.0.0.11')])
    expect(stage.last(PRINTER)?.addresses).toHaveLength(3)
    stage.run(1100)
    expect(stage.last(PRINTER)?.addresses).toMatchObject([{ address: '10.0.0.11' }])
  })

  it('show a new port, TXT record or host of a service at once', () => {
    const stage = new Stage()
    stage.receive(ANNOUNCEMENT)
    stage.run(5000)
    stage.receive([srv('Office', PRINTER, '_ipp._tcp', 8631), txt('Office', ['k=w'])])
    expect(stage.last(PRINTER)?.services).toMatchObject([{ port: 8631, txt: { k: 'w' } }])
    stage.run(5000)
    stage.receive([srv('Office', 'other.local'), a('other.local', '10.0.0.10')])
    expect(stage.last('other.local')).toMatchObject({ state: 'alive', services: [{ port: 631, txt: { k: 'w' } }] })
    expect(stage.last(PRINTER)).toMatchObject({ state: 'left' })
  })

  it('do not remove PTR records of other hosts, even if a PTR record has the cache-flush bit', () => {
    const stage = new Stage()
    stage.receive(ANNOUNCEMENT)
    stage.run(5000)
    stage.receive([{ ...ptr('Other'), flush: true }, ...service('Other', 'other.local', '10.0.0.10').slice(1)])
    stage.run(5000)
    expect(stage.states(PRINTER)).toMatchObject([{ state: 'alive' }])
  })
})

describe('liveness', () => {
  it('makes a host suspect at 85 % of the TTL, fails it at the end, and revives it when it is seen again', () => {
    const stage = new Stage()
    const device = new Device(ANNOUNCEMENT)
    stage.devices.push(device)
    stage.run(1000)
    const [first] = stage.reports
    device.alive = false
    stage.run(200_000)
    const [alive, suspect, failed] = stage.states(PRINTER)
    expect(alive?.state).toBe('alive')
    expect(suspect?.state).toBe('suspect')
    expect(failed?.state).toBe('failed')
    const heardAt = first?.at ?? 0
    expect(((suspect?.at ?? 0) - heardAt) / 120_000).toBeGreaterThan(0.85)
    expect(((suspect?.at ?? 0) - heardAt) / 120_000).toBeLessThan(0.885)
    expect(((failed?.at ?? 0) - heardAt) / 120_000).toBeCloseTo(1, 2)
    device.alive = true
    stage.run(70_000)
    expect(stage.last(PRINTER)).toMatchObject({ state: 'alive', services: [{ name: 'Office', txt: { k: 'v' } }] })
  })

  it('keeps a device that answers alive for a day, with queries at 80 % of each lifetime', () => {
    const stage = new Stage()
    stage.devices.push(new Device(ANNOUNCEMENT))
    stage.run(86_400_000)
    expect(stage.states(PRINTER)).toMatchObject([{ state: 'alive' }])
    const asked = stage.asked('A', PRINTER)
    expect(asked.length).toBeGreaterThan(86_400 / (120 * 0.83))
    expect(asked.length).toBeLessThan(86_400 / (120 * 0.79))
  })

  it('queries at 80, 85, 90 and 95 % of the lifetime, and in between', () => {
    const stage = new Stage()
    stage.receive(ANNOUNCEMENT)
    const since = stage.now
    stage.run(125_000)
    const parts = stage.asked('SRV', 'Office._ipp._tcp.local', since).map((ms) => ms / 120_000)
    const schedule = [0.8, 0.83, 0.84, 0.85, 0.9, 0.95, 0.975, 0.99]
    expect(parts).toHaveLength(schedule.length)
    for (const [i, part] of parts.entries()) {
      expect(part).toBeGreaterThanOrEqual(schedule[i] ?? 0)
      expect(part).toBeLessThan((schedule[i] ?? 0) + 0.023)
    }
  })

  it('ends a suspicion with any message of the host', () => {
    const stage = new Stage()
    stage.receive(ANNOUNCEMENT)
    stage.run(107_000)
    expect(stage.last(PRINTER)?.state).toBe('suspect')
    stage.receive([txt('Office', ['k=v'])])
    expect(stage.last(PRINTER)?.state).toBe('alive')
  })

  it.each([
    // How often all eight queries or their answers are lost: 0.51 ** 8, for 20 hosts with 37 lifetimes of SRV and of A
    // records.
    [0.3, 15, 250],
    [0.1, 0, 20],
  ])('rarely fails a living host when %d of all messages is lost', (loss, failed, suspect) => {
    const stage = new Stage()
    stage.loss = loss
    for (let i = 1; i <= 20; i++) {
      stage.devices.push(new Device(service(`Service ${i}`, `host${i}.local`, `10.0.0.${i}`), `10.0.0.${i}`))
    }
    stage.run(3_600_000)
    const count = (state: string) => stage.reports.filter(({ sighting }) => sighting.state === state).length
    expect(count('failed')).toBeLessThanOrEqual(failed)
    expect(count('suspect')).toBeLessThanOrEqual(suspect)
    expect(stage.devices.filter((_, i) => stage.last(`host${i + 1}.local`)?.state === 'alive').length).toBeGreaterThan(
      16,
    )
  })

  it('fails no host that still answers after the process was suspended for an hour', () => {
    const stage = new Stage()
    stage.devices.push(new Device(ANNOUNCEMENT))
    stage.run(10_000)
    stage.now += 3_600_000
    stage.run(60_000)
    expect(stage.states(PRINTER).map(({ state }) => state)).toEqual(['alive'])
  })

  it('keeps all services of a silent host until the host fails', () => {
    const stage = new Stage()
    const second = service('Admin', PRINTER, '10.0.0.9', '_http._tcp')
    const device = new Device([...ANNOUNCEMENT, ...second, aaaa(PRINTER, 'fd00::9')])
    stage.devices.push(device)
    stage.run(1000)
    // Announced at other times than the other services.
    stage.run(30_000)
    stage.receive([...second.slice(1, 2), aaaa(PRINTER, 'fd00::9')])
    device.alive = false
    stage.run(150_000)
    expect(stage.states(PRINTER).map(({ state }) => state)).toEqual(['alive', 'suspect', 'failed'])
    const told = stage.reports.filter(({ sighting }) => sighting.id === PRINTER && sighting.services.length > 0)
    const late = told.filter(({ at }) => at > 31_000)
    for (const { sighting } of late) expect(sighting.services).toHaveLength(2)
    expect(stage.last(PRINTER)).toMatchObject({ state: 'failed', services: [{}, {}], addresses: [{}, {}] })
  })

  it('keeps a host that still has an address and a service', () => {
    const stage = new Stage()
    const second = service('Admin', PRINTER, '10.0.0.9', '_http._tcp')
    const device = new Device([...ANNOUNCEMENT, ...second, a(PRINTER, '10.0.0.10')])
    stage.devices.push(device)
    stage.run(1000)
    device.records = ANNOUNCEMENT
    stage.run(10_000_000)
    expect(stage.states(PRINTER).map(({ state }) => state)).toEqual(['alive'])
    expect(stage.last(PRINTER)).toMatchObject({
      addresses: [{ address: '10.0.0.9' }],
      services: [{ name: 'Office' }],
    })
  })

  it('keeps unconfirmed records for two minutes, whatever their TTL', () => {
    const stage = new Stage()
    const week = 7 * 86_400
    stage.receive(ANNOUNCEMENT.map((record) => ({ ...record, ttl: week })))
    stage.run(121_000)
    expect(stage.states(PRINTER)).toMatchObject([{ state: 'alive' }, { state: 'suspect' }, { state: 'failed' }])
    expect(stage.finder.limits).toMatchObject({ hosts: { now: 0 }, services: { now: 0 }, txtBytes: { now: 0 } })
  })
})

import { describe, expect, it } from 'vitest'
import { a, aaaa, Device, ETH0, ETH1, goodbye, ptr, Stage, service, srv, txt } from './stage.ts'

const PRINTER = 'printer.local'
const ANNOUNCEMENT = service('Office', 'Printer.local', '10.0.0.9')

describe('what is sighted', () => {
  it('is a host with its services and addresses, from one announcement', () => {
    const stage = new Stage()
    stage.hear([...ANNOUNCEMENT, aaaa('printer.local', 'fe80::9')])
    expect(stage.told).toHaveLength(1)
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

  it('takes records in any order, and from the additional section', () => {
    const stage = new Stage()
    const [pointer, ...rest] = ANNOUNCEMENT
    stage.hear([...(pointer ? [pointer] : [])], {}, { additionals: rest.reverse() })
    expect(stage.last(PRINTER)?.services).toHaveLength(1)
  })

  it('gathers the services of a host, sorted', () => {
    const stage = new Stage()
    stage.hear([...ANNOUNCEMENT, ...service('Admin', 'printer.local', '10.0.0.9', '_http._tcp')])
    expect(stage.last(PRINTER)?.services.map(({ id }) => id)).toEqual(['Admin._http._tcp', 'Office._ipp._tcp'])
  })

  it('waits one second at most for a TXT record', () => {
    const stage = new Stage()
    stage.hear([ptr('Office'), srv('Office', PRINTER), a(PRINTER, '10.0.0.9')])
    expect(stage.told).toEqual([])
    stage.run(900)
    expect(stage.told).toEqual([])
    stage.run(200)
    expect(stage.last(PRINTER)?.services).toMatchObject([{ name: 'Office', txt: {} }])
    stage.hear([txt('Office', ['color=T'])])
    expect(stage.last(PRINTER)?.services).toMatchObject([{ txt: { color: 'T' } }])
  })

  it('tells an earshot by its id, version and name, and does not list that service', () => {
    const stage = new Stage()
    const id = 'abcdefghijklmnopqrstuvwxyz'
    stage.hear([
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
    stage.hear(service('Dr. Who v2.0._x', PRINTER, '10.0.0.9'))
    expect(stage.last(PRINTER)?.services).toMatchObject([{ name: 'Dr. Who v2.0._x', id: 'Dr. Who v2.0._x._ipp._tcp' }])
  })

  it('passes over names with control characters, and hosts outside .local without an address', () => {
    const stage = new Stage()
    stage.hear(service('Of\u001bfice', PRINTER, '10.0.0.9'))
    stage.hear(service('Office', 'prin\nter.local', '10.0.0.9'))
    stage.hear(service('Other', 'printer.example', '10.0.0.9').slice(0, 3))
    for (const target of ['printer', '10.0.0.9', '.', '.local', 'printer.']) {
      stage.hear(service('Another', target, '10.0.0.9'))
    }
    stage.run(20_000)
    expect(stage.told).toEqual([])
    expect(stage.finder.limits).toMatchObject({ hosts: { now: 0 }, services: { now: 0 }, txtBytes: { now: 0 } })
  })

  it('is a host outside .local, too, when its address comes along', () => {
    const stage = new Stage()
    const [pointer, target, text, address] = service('Office', 'Printer.Example.com', '10.0.0.9')
    const device = new Device([pointer, target, text, address].flatMap((record) => record ?? []))
    stage.hear(device.records)
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

  it('offers no service of port 0, which says that it has none of that kind', () => {
    const stage = new Stage(['_ipp._tcp', '_printer._tcp'])
    const placeholder = [ptr('Office', '_printer._tcp'), srv('Office', PRINTER, '_printer._tcp', 0)]
    stage.hear([...ANNOUNCEMENT, ...placeholder, txt('Office', [], '_printer._tcp')])
    expect(stage.last(PRINTER)?.services).toMatchObject([{ type: '_ipp._tcp', port: 631 }])
    stage.run(2000)
    stage.hear([srv('Office', PRINTER, '_printer._tcp', 515)])
    expect(stage.last(PRINTER)?.services).toMatchObject([{ port: 631 }, { port: 515 }])
    stage.run(2000)
    stage.hear([srv('Office', PRINTER, '_printer._tcp', 0)])
    expect(stage.last(PRINTER)?.services).toMatchObject([{ port: 631 }])
  })

  it('passes over addresses that no other host can have', () => {
    const stage = new Stage()
    const impossible = ['127.0.0.1', '0.0.0.0', '224.0.0.251', '255.255.255.255'].map((address) => a(PRINTER, address))
    const impossible6 = ['::1', '::', 'ff02::fb', '::ffff:10.0.0.9'].map((address) => aaaa(PRINTER, address))
    stage.hear([...ANNOUNCEMENT, ...impossible, ...impossible6])
    expect(stage.last(PRINTER)?.addresses).toEqual([{ address: '10.0.0.9', family: 'ipv4', interface: 'eth0' }])
  })

  it('is also what says it from an address outside the subnet: it came to the group, and so from this link', () => {
    const stage = new Stage()
    stage.hear(ANNOUNCEMENT, { address: '169.254.29.54', onLink: false })
    expect(stage.last(PRINTER)).toBeDefined()
  })

  it('is nothing of what comes from another port, or in a query', () => {
    const stage = new Stage()
    stage.hear(ANNOUNCEMENT, { port: 40_000 })
    stage.hear(ANNOUNCEMENT, { interface: 'eth7' })
    stage.hear(ANNOUNCEMENT, {}, { kind: 'query' })
    stage.run(5000)
    expect(stage.told).toEqual([])
  })

  it('is never this machine', () => {
    const stage = new Stage()
    stage.finder.setOwnHostname('Printer.local')
    stage.hear(ANNOUNCEMENT)
    stage.run(5000)
    expect(stage.told).toEqual([])
    expect(stage.asked('SRV', 'Office._ipp._tcp.local')).toEqual([])
  })

  it('is told at once when it changes, and once a second at most when it is only heard again', () => {
    const stage = new Stage()
    for (let i = 0; i < 50; i++) {
      stage.hear(ANNOUNCEMENT)
      stage.run(100)
    }
    expect(stage.told).toHaveLength(5)
    stage.hear([txt('Office', ['k=w'])])
    expect(stage.told).toHaveLength(6)
    expect(stage.last(PRINTER)?.lastSeen).toBe(stage.now)
  })

  it('changes no more than about once a second in the long run, and ends up as it is', () => {
    const stage = new Stage()
    stage.hear(ANNOUNCEMENT)
    for (let i = 0; i < 100; i++) {
      stage.hear([srv('Office', PRINTER, '_ipp._tcp', 1000 + i)])
      stage.run(100)
    }
    stage.run(2000)
    expect(stage.told.length).toBeLessThan(25)
    expect(stage.last(PRINTER)?.services).toMatchObject([{ port: 1099 }])
  })
})

describe('several interfaces', () => {
  it('each have their own addresses, and one host', () => {
    const stage = new Stage(['_ipp._tcp'], [ETH0, ETH1])
    stage.hear(ANNOUNCEMENT)
    stage.hear(service('Office', PRINTER, '10.1.0.9'), { interface: 'eth1', address: '10.1.0.9' })
    expect(stage.last(PRINTER)).toMatchObject({
      addresses: [
        { address: '10.0.0.9', interface: 'eth0' },
        { address: '10.1.0.9', interface: 'eth1' },
      ],
      services: [{ id: 'Office._ipp._tcp' }],
    })
  })

  it('tell of two hosts when the same instance name is used on each', () => {
    const stage = new Stage(['_ipp._tcp'], [ETH0, ETH1])
    stage.hear(service('Office', 'one.local', '10.0.0.9'))
    stage.hear(service('Office', 'two.local', '10.1.0.9'), { interface: 'eth1', address: '10.1.0.9' })
    expect(stage.last('one.local')).toMatchObject({ state: 'alive', services: [{ name: 'Office' }] })
    expect(stage.last('two.local')).toMatchObject({ state: 'alive', services: [{ name: 'Office' }] })
  })

  it('that return within 5 s with the same address have lost nothing; those with another are in another network', () => {
    const stage = new Stage(['_ipp._tcp'], [ETH0])
    stage.hear(ANNOUNCEMENT)
    stage.run(1000)
    stage.finder.setInterfaces([], stage.now)
    stage.run(4000)
    stage.finder.setInterfaces([ETH0], stage.now)
    stage.run(10_000)
    expect(stage.states(PRINTER).map(({ state }) => state)).toEqual(['alive'])
    stage.finder.setInterfaces([{ ...ETH0, addresses: [{ address: '192.168.7.7', family: 'ipv4' }] }], stage.now)
    expect(stage.last(PRINTER)?.state).toBe('failed')
  })

  it('are forgotten when they have gone, and asked at once when they come', () => {
    const stage = new Stage(['_ipp._tcp'], [ETH0, ETH1])
    stage.run(100_000)
    stage.hear(ANNOUNCEMENT)
    stage.hear(service('Office', PRINTER, '10.1.0.9'), { interface: 'eth1', address: '10.1.0.9' })
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

describe('goodbyes and places taken', () => {
  it('let a service go after one second, and its host with the last', () => {
    const stage = new Stage()
    const second = service('Admin', PRINTER, '10.0.0.9', '_http._tcp')
    stage.hear([...ANNOUNCEMENT, ...second])
    stage.hear(goodbye(second.slice(0, 3)))
    stage.run(900)
    expect(stage.last(PRINTER)?.services).toHaveLength(2)
    stage.run(200)
    expect(stage.last(PRINTER)).toMatchObject({ state: 'alive', services: [{ name: 'Office' }] })
    stage.hear(goodbye([ptr('Office')]))
    stage.run(1100)
    expect(stage.last(PRINTER)).toMatchObject({ state: 'left', services: [{ name: 'Office' }] })
    expect(stage.finder.limits).toMatchObject({ hosts: { now: 0 }, services: { now: 0 }, txtBytes: { now: 0 } })
  })

  it('tell once of a host all of whose services say goodbye', () => {
    const stage = new Stage()
    const all = [...ANNOUNCEMENT, ...service('Admin', PRINTER, '10.0.0.9', '_http._tcp')]
    stage.hear(all)
    const before = stage.told.length
    for (let i = 0; i < 3; i++) {
      stage.hear(goodbye(all))
      stage.run(100)
    }
    stage.run(2000)
    expect(stage.told.slice(before)).toMatchObject([{ at: 2000, sighting: { state: 'left', services: [{}, {}] } }])
  })

  it('are undone by being heard again within the second', () => {
    const stage = new Stage()
    stage.hear(ANNOUNCEMENT)
    stage.hear(goodbye(ANNOUNCEMENT))
    stage.run(500)
    stage.hear(ANNOUNCEMENT)
    stage.run(5000)
    expect(stage.states(PRINTER)).toMatchObject([{ state: 'alive' }])
  })

  it('replace what is older than a second, and not what came along', () => {
    const stage = new Stage()
    stage.hear([...ANNOUNCEMENT, a(PRINTER, '10.0.0.10')])
    expect(stage.last(PRINTER)?.addresses).toHaveLength(2)
    stage.run(5000)
    stage.hear([a(PRINTER, '10.0.0.11')])
    expect(stage.last(PRINTER)?.addresses).toHaveLength(3)
    stage.run(1100)
    expect(stage.last(PRINTER)?.addresses).toMatchObject([{ address: '10.0.0.11' }])
  })

  it('show a new port, text or host of a service at once', () => {
    const stage = new Stage()
    stage.hear(ANNOUNCEMENT)
    stage.run(5000)
    stage.hear([srv('Office', PRINTER, '_ipp._tcp', 8631), txt('Office', ['k=w'])])
    expect(stage.last(PRINTER)?.services).toMatchObject([{ port: 8631, txt: { k: 'w' } }])
    stage.run(5000)
    stage.hear([srv('Office', 'other.local'), a('other.local', '10.0.0.10')])
    expect(stage.last('other.local')).toMatchObject({ state: 'alive', services: [{ port: 631, txt: { k: 'w' } }] })
    expect(stage.last(PRINTER)).toMatchObject({ state: 'left' })
  })

  it('do not let the pointers of others go for a pointer with the bit set', () => {
    const stage = new Stage()
    stage.hear(ANNOUNCEMENT)
    stage.run(5000)
    stage.hear([{ ...ptr('Other'), flush: true }, ...service('Other', 'other.local', '10.0.0.10').slice(1)])
    stage.run(5000)
    expect(stage.states(PRINTER)).toMatchObject([{ state: 'alive' }])
  })
})

describe('liveness', () => {
  it('goes suspect at 85 % of the time to live, fails at its end, and comes back when heard', () => {
    const stage = new Stage()
    const device = new Device(ANNOUNCEMENT)
    stage.devices.push(device)
    stage.run(1000)
    const [first] = stage.told
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

  it('keeps a device that answers alive for a day, asking at 80 % of each life', () => {
    const stage = new Stage()
    stage.devices.push(new Device(ANNOUNCEMENT))
    stage.run(86_400_000)
    expect(stage.states(PRINTER)).toMatchObject([{ state: 'alive' }])
    const asked = stage.asked('A', PRINTER)
    expect(asked.length).toBeGreaterThan(86_400 / (120 * 0.83))
    expect(asked.length).toBeLessThan(86_400 / (120 * 0.79))
  })

  it('asks at 80, 85, 90 and 95 %, and in between', () => {
    const stage = new Stage()
    stage.hear(ANNOUNCEMENT)
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

  it('recovers from suspicion by any word of the host', () => {
    const stage = new Stage()
    stage.hear(ANNOUNCEMENT)
    stage.run(107_000)
    expect(stage.last(PRINTER)?.state).toBe('suspect')
    stage.hear([txt('Office', ['k=v'])])
    expect(stage.last(PRINTER)?.state).toBe('alive')
  })

  it.each([
    // So often all eight questions or their answers are lost: 0.51 ** 8, 20 hosts, 37 lives of SRV and of A each.
    [0.3, 15, 250],
    [0.1, 0, 20],
  ])('loses hardly anyone out of sight when %d of all messages is lost', (loss, failed, suspect) => {
    const stage = new Stage()
    stage.loss = loss
    for (let i = 1; i <= 20; i++) {
      stage.devices.push(new Device(service(`Service ${i}`, `host${i}.local`, `10.0.0.${i}`), `10.0.0.${i}`))
    }
    stage.run(3_600_000)
    const count = (state: string) => stage.told.filter(({ sighting }) => sighting.state === state).length
    expect(count('failed')).toBeLessThanOrEqual(failed)
    expect(count('suspect')).toBeLessThanOrEqual(suspect)
    expect(stage.devices.filter((_, i) => stage.last(`host${i + 1}.local`)?.state === 'alive').length).toBeGreaterThan(
      16,
    )
  })

  it('fails nobody when the process was stopped for an hour, if they still answer', () => {
    const stage = new Stage()
    stage.devices.push(new Device(ANNOUNCEMENT))
    stage.run(10_000)
    stage.now += 3_600_000
    stage.run(60_000)
    expect(stage.states(PRINTER).map(({ state }) => state)).toEqual(['alive'])
  })

  it('has all services of a host that fell silent until it failed', () => {
    const stage = new Stage()
    const second = service('Admin', PRINTER, '10.0.0.9', '_http._tcp')
    const device = new Device([...ANNOUNCEMENT, ...second, aaaa(PRINTER, 'fd00::9')])
    stage.devices.push(device)
    stage.run(1000)
    // Told of again at other times than the rest.
    stage.run(30_000)
    stage.hear([...second.slice(1, 2), aaaa(PRINTER, 'fd00::9')])
    device.alive = false
    stage.run(150_000)
    expect(stage.states(PRINTER).map(({ state }) => state)).toEqual(['alive', 'suspect', 'failed'])
    const told = stage.told.filter(({ sighting }) => sighting.id === PRINTER && sighting.services.length > 0)
    const late = told.filter(({ at }) => at > 31_000)
    for (const { sighting } of late) expect(sighting.services).toHaveLength(2)
    expect(stage.last(PRINTER)).toMatchObject({ state: 'failed', services: [{}, {}], addresses: [{}, {}] })
  })

  it('keeps a host of which one address and one service are left', () => {
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

  it('gives what never confirmed itself two minutes, whatever it asks for', () => {
    const stage = new Stage()
    const week = 7 * 86_400
    stage.hear(ANNOUNCEMENT.map((record) => ({ ...record, ttl: week })))
    stage.run(121_000)
    expect(stage.states(PRINTER)).toMatchObject([{ state: 'alive' }, { state: 'suspect' }, { state: 'failed' }])
    expect(stage.finder.limits).toMatchObject({ hosts: { now: 0 }, services: { now: 0 }, txtBytes: { now: 0 } })
  })
})

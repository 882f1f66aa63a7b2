import { describe, expect, test } from 'vitest'
import { ask, FakePresence, hostView, idOf, Listener, mdnsKnowing, peerView, startControl } from './fixtures.ts'

const PRINTER = [
  { address: '10.0.0.7', family: 'ipv4', interface: 'eth0' },
  { address: 'fe80::7', family: 'ipv6', interface: 'eth0' },
] as const

function withPrinter(): FakePresence {
  const presence = new FakePresence()
  presence.mdns = mdnsKnowing({ 'printer.local': [...PRINTER] })
  return presence
}

describe('a host found by mDNS', () => {
  test('has its host name as id, and is marked as found by mDNS like its services', async () => {
    const presence = new FakePresence()
    presence.change('peer-up', 1, hostView(1))
    const { socket } = await startControl(presence)
    const { body } = await ask({ socket }, '/v1/peers/host-1.local')
    expect(body).toMatchObject({
      id: 'host-1.local',
      source: 'mdns',
      hostname: 'Host-1.local',
      services: [{ id: 'web', source: 'mdns' }],
      intervalMs: 0,
      paths: [{ interface: 'eth0', path: 'mdns', lastHeard: '2026-11-21T09:01:01.004Z' }],
    })
    expect((await ask({ socket }, '/v1/services?peer=host-1.local')).body).toMatchObject({
      services: [{ id: 'web', source: 'mdns', peer: { id: 'host-1.local' } }],
    })
  })

  test('cannot be probed: an error says so, and no probe is sent', async () => {
    const presence = new FakePresence()
    presence.change('peer-up', 1, hostView(1))
    const { socket } = await startControl(presence)
    expect(await ask({ socket }, '/v1/probe/host-1.local', {}, 'POST')).toMatchObject({
      status: 409,
      body: { code: 'EARSHOT_NOT_PROBED', message: expect.stringMatching(/^'host-1' was found by mDNS/) },
    })
  })

  test('is in the events like any peer', async () => {
    const presence = new FakePresence()
    const { socket } = await startControl(presence)
    const listener = new Listener({ socket }, '/v1/events')
    await listener.untilType('sync')
    presence.change('peer-up', 1, hostView(1))
    const events = await listener.untilType('peer-up')
    expect(events.at(-1)).toMatchObject({ json: { peer: { id: 'host-1.local', source: 'mdns' } } })
  })

  test('does not take over the name of a peer that sent beacons', async () => {
    const presence = new FakePresence()
    presence.change('peer-failed', 1, { name: 'kitchen' })
    presence.change('peer-up', 2, hostView(2, { id: 'kitchen.local', name: 'kitchen' }))
    const { socket } = await startControl(presence)
    expect(await ask({ socket }, '/v1/peers/kitchen')).toMatchObject({
      status: 409,
      body: { message: expect.stringContaining('kitchen (kitchen.local., by mDNS)') },
    })
    expect((await ask({ socket }, '/v1/peers/kitchen.local')).body).toMatchObject({ source: 'mdns' })
    expect((await ask({ socket }, `/v1/peers/${idOf(1)}`)).body).toMatchObject({ state: 'failed' })
  })
})

describe('the parameter source', () => {
  test('selects what is signed with beacon, and what mDNS found with mdns', async () => {
    const presence = new FakePresence()
    const ipp = { id: 'P._ipp._tcp', name: 'P', type: '_ipp._tcp', port: 631, txt: {}, subtypes: [] }
    const addresses = [{ address: 'fe80::7', family: 'ipv6' as const, interface: 'eth0' }]
    presence.change('peer-up', 1, {
      name: 'kitchen',
      services: [...peerView(1).services, { ...ipp, source: 'mdns', addresses }],
    })
    presence.change('peer-up', 2, hostView(2, { name: 'kitchen' }))
    const { socket } = await startControl(presence)
    const said = async (path: string) => JSON.parse(JSON.stringify((await ask({ socket }, path)).body))
    expect((await said('/v1/peers?source=beacon')).peers).toMatchObject([{ id: idOf(1), services: [{ id: 'web' }] }])
    expect((await said('/v1/peers?source=mdns')).peers).toMatchObject([{ id: 'host-2.local' }])
    expect((await said('/v1/peers?source=beacon&service=ipp')).peers).toEqual([])
    expect((await said('/v1/services?source=beacon')).services).toMatchObject([{ id: 'web', peer: { id: idOf(1) } }])
    expect((await said('/v1/services?source=mdns')).services).toMatchObject([
      { id: 'P._ipp._tcp', source: 'mdns', addresses: [{ address: 'fe80::7%eth0' }] },
      { id: 'web', peer: { id: 'host-2.local' } },
    ])
    expect((await ask({ socket }, '/v1/peers/kitchen')).status).toBe(409)
    expect(await said('/v1/peers/kitchen?source=beacon')).toMatchObject({ id: idOf(1), services: [{ id: 'web' }] })
    expect((await ask({ socket }, '/v1/peers?source=all')).status).toBe(400)
  })
})

describe('a host that is taken for a peer', () => {
  test('is listed with hidden=1, and found by a name that no other peer has, with the reason', async () => {
    const presence = new FakePresence()
    presence.change('peer-up', 1, { name: 'kitchen' })
    const hidden = { id: idOf(1), name: 'kitchen', because: 'address' as const }
    presence.hiddenHosts = [hostView(2, { hidden }), hostView(3, { name: 'kitchen', hidden })]
    const { socket } = await startControl(presence)
    const { headers, body } = await ask({ socket }, '/v1/peers?hidden=1')
    expect(headers).not.toHaveProperty('etag')
    expect(body).toMatchObject({ peers: [{ id: idOf(1) }, { id: 'host-2.local', hidden }, { id: 'host-3.local' }] })
    expect((await ask({ socket }, '/v1/peers')).body).toMatchObject({ peers: [{ id: idOf(1) }] })
    expect((await ask({ socket }, '/v1/peers/host-2')).body).toMatchObject({ id: 'host-2.local', hidden })
    expect((await ask({ socket }, '/v1/peers/kitchen')).body).toMatchObject({ id: idOf(1) })
  })
})

describe('GET /v1/hosts', () => {
  test.each(['printer.local', 'Printer.LOCAL', 'printer.local.'])(
    'tells the addresses of %s, with zones',
    async (name) => {
      const { socket } = await startControl(withPrinter())
      expect(await ask({ socket }, `/v1/hosts/${name}`)).toMatchObject({
        status: 200,
        body: {
          hostname: name.replace(/\.$/, ''),
          addresses: [
            { address: '10.0.0.7', family: 'ipv4', interface: 'eth0' },
            { address: 'fe80::7%eth0', family: 'ipv6', interface: 'eth0' },
          ],
        },
      })
    },
  )

  test.each([
    [
      'nobody.local?timeout=50ms',
      404,
      'EARSHOT_NO_SUCH_HOST',
      "no mDNS host with the name 'nobody.local' answered within 50ms",
    ],
    [
      'printer',
      400,
      'EARSHOT_BAD_REQUEST',
      'params/hostname: expected an mDNS host name such as printer.local, found "printer"',
    ],
    [
      '.local',
      400,
      'EARSHOT_BAD_REQUEST',
      'params/hostname: expected an mDNS host name such as printer.local, found ".local"',
    ],
    [
      'printer.local?timeout=1h',
      400,
      'EARSHOT_BAD_REQUEST',
      'querystring/timeout: expected a duration from 1ms to 10s such as 500ms, found "1h"',
    ],
  ])('answers %s with %i', async (path, status, code, message) => {
    const { socket } = await startControl(withPrinter())
    expect(await ask({ socket }, `/v1/hosts/${path}`)).toMatchObject({ status, body: { code, message } })
  })

  test('says so when mDNS is off', async () => {
    const { socket } = await startControl()
    expect(await ask({ socket }, '/v1/hosts/printer.local')).toMatchObject({
      status: 409,
      body: { code: 'EARSHOT_MDNS_OFF', message: expect.stringMatching(/--no-mdns, EARSHOT_MDNS=false .*config file/) },
    })
  })

  test('limits the number of concurrent queries', async () => {
    const presence = withPrinter()
    let answer = () => {}
    const answered = new Promise<void>((resolve) => {
      answer = resolve
    })
    let asked = 0
    presence.mdns = {
      ...mdnsKnowing({}),
      resolve: async () => {
        asked++
        await answered
        return [...PRINTER]
      },
    }
    const { socket } = await startControl(presence)
    const answers = Array.from({ length: 65 }, () => ask({ socket }, '/v1/hosts/printer.local'))
    expect(await Promise.race(answers)).toMatchObject({ status: 503, body: { code: 'EARSHOT_TOO_BUSY' } })
    answer()
    const statuses = (await Promise.all(answers)).map(({ status }) => status)
    expect(statuses.filter((status) => status === 200)).toHaveLength(64)
    expect(asked).toBe(64)
    expect((await ask({ socket }, '/v1/hosts/printer.local')).status).toBe(200)
  })
})

test('GET /v1/self shows the state of mDNS, or that it is off', async () => {
  const { socket } = await startControl(withPrinter())
  expect((await ask({ socket }, '/v1/self')).body).toMatchObject({
    mdns: {
      hostname: 'own.local',
      publications: [{ id: 'web', name: 'Web (2)', type: '_http._tcp', state: 'published' }],
      browsing: ['_earshot._udp', '_http._tcp'],
      limits: { hosts: { now: 1, most: 1024 } },
    },
  })
  const { socket: other } = await startControl()
  expect((await ask({ socket: other }, '/v1/self')).body).toMatchObject({ mdns: null })
})

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { peerMatcher } from '../../src/client/filter.ts'
import { Earshot, type Peer } from '../../src/client/index.ts'
import { Transport } from '../../src/client/transport.ts'
import { mdnsKnowing } from '../daemon/control/fixtures.ts'
import { type RecordedRequest, ScriptedDaemon } from '../scripted-daemon.ts'
import { somePeer } from './some-peer.ts'

const ipv4 = { address: '192.168.1.20', family: 'ipv4', interface: 'eth0' } as const
const ipv6 = { address: 'fd00::20', family: 'ipv6', interface: 'eth0' } as const
const linkLocal = { address: 'fe80::1%eth0', family: 'ipv6', interface: 'eth0' } as const

/** A daemon that answers one call with this, and what it was asked. */
async function answering(
  status: number,
  body: object,
): Promise<{ earshot: Earshot; asked: () => RecordedRequest | undefined }> {
  const daemon = await ScriptedDaemon.start()
  daemon.reply = () => ({ status, body })
  return { earshot: new Earshot({ socket: daemon.socket }), asked: () => daemon.requests.at(-1) }
}

describe('changes', () => {
  test('sets and removes attributes', async () => {
    const { earshot, asked } = await answering(200, { attributes: { status: 'idle' } })
    expect(await earshot.set({ status: 'idle', load: 0.5, ready: true })).toEqual({ status: 'idle' })
    expect(asked()).toMatchObject({
      method: 'PATCH',
      url: { pathname: '/v1/self/attributes' },
      headers: { 'content-type': 'application/json' },
      body: { status: 'idle', load: 0.5, ready: true },
    })
    await earshot.unset('load')
    expect(asked()?.body).toEqual({ load: null })
    await earshot.unset(['load', 'ready'])
    expect(asked()?.body).toEqual({ load: null, ready: null })
  })

  test.each<[unknown, string]>([
    [Number.NaN, 'NaN'],
    [Number.POSITIVE_INFINITY, 'Infinity'],
    [undefined, 'undefined'],
    [null, 'null'],
    [{}, '[object Object]'],
  ])('refuses the value %s, which JSON cannot represent', async (value, shown) => {
    const { earshot, asked } = await answering(200, { attributes: {} })
    const message = `must be a string, a finite number or a boolean, not ${shown}`
    const values = { load: value as number }
    await expect(earshot.set(values)).rejects.toThrow(new TypeError(`attribute 'load' ${message}`))
    const entry = { type: 'http', port: 80, txt: values }
    await expect(earshot.register(entry)).rejects.toThrow(new TypeError(`txt 'load' ${message}`))
    await expect(earshot.publish(entry)).rejects.toThrow(message)
    expect(asked()?.method).not.toMatch(/PATCH|PUT/)
  })

  test('registers a service without renewal, and withdraws it', async () => {
    const { earshot, asked } = await answering(201, { id: 'a b', source: 'api' })
    const given = { id: 'a b', type: 'http', port: 80 }
    expect(await earshot.register({ ...given, ttl: 3_600_000 })).toEqual({ id: 'a b', source: 'api' })
    expect(asked()).toMatchObject({ method: 'PUT', url: { pathname: '/v1/services/a%20b' } })
    expect(asked()?.body).toEqual({ type: 'http', port: 80, ttl: '3600000ms' })
    await earshot.register({ type: 'http', port: 80 })
    expect(asked()?.url.pathname).toMatch(/^\/v1\/services\/http-[0-9a-f]{8}$/)
    expect(asked()?.body).toEqual({ type: 'http', port: 80 })
    await earshot.unpublish('a b')
    expect(asked()).toMatchObject({ method: 'DELETE', url: { pathname: '/v1/services/a%20b' } })
  })

  test('pings and queries', async () => {
    const { earshot, asked } = await answering(200, { peer: { id: 'k', name: 'kitchen' }, rttMs: 0.4 })
    expect(await earshot.ping('kit chen')).toBe(0.4)
    expect(asked()).toMatchObject({ method: 'POST', url: { pathname: '/v1/probe/kit%20chen' } })
    await earshot.query()
    expect(asked()).toMatchObject({ method: 'POST', url: { pathname: '/v1/query' } })
    const silent = await answering(504, { code: 'EARSHOT_NO_ANSWER', message: 'silent' })
    await expect(silent.earshot.ping('kitchen')).rejects.toMatchObject({ code: 'EARSHOT_NO_ANSWER', status: 504 })
  })

  test('every call can be aborted', async () => {
    const daemon = await ScriptedDaemon.start()
    daemon.reply = () => new Promise(() => {})
    const earshot = new Earshot({ socket: daemon.socket })
    const calls: ((options: { signal: AbortSignal }) => Promise<unknown>)[] = [
      (options) => earshot.services({}, options),
      (options) => earshot.set({ a: 1 }, options),
      (options) => earshot.unset('a', options),
      (options) => earshot.ping('a', options),
      (options) => earshot.query(options),
      (options) => earshot.register({ type: 'http', port: 1 }, options),
      (options) => earshot.unpublish('a', options),
      (options) => earshot.publish({ type: 'http', port: 1 }, options),
      (options) => earshot.waitFor({}, options),
      (options) => earshot.resolve('a', options),
      (options) => earshot.watch({}, options).next(),
    ]
    for (const call of calls) {
      const controller = new AbortController()
      const asked = daemon.requests.length
      const answer = call({ signal: controller.signal })
      await daemon.until(() => daemon.requests.length > asked)
      controller.abort(new Error('enough'))
      await expect(answer).rejects.toThrow('enough')
    }
  })
})

test('an empty list in a filter counts as not given', async () => {
  const { earshot, asked } = await answering(200, { epoch: 'e1', index: 1, peers: [], services: [] })
  await earshot.peers({ service: [], name: [], state: [], attributes: {} })
  expect(asked()?.url.search).toBe('')
  await earshot.services({ type: [], name: [], peer: [], state: [] })
  expect(asked()?.url.search).toBe('')
  expect([somePeer('a')].filter(peerMatcher({ service: [], name: [] }))).toHaveLength(1)
})

test('the timeout may be Infinity', async () => {
  const { earshot } = await answering(200, { epoch: 'e1', index: 1, peers: [] })
  const patient = new Earshot({ socket: (await ScriptedDaemon.start()).socket, timeout: Number.POSITIVE_INFINITY })
  expect(await patient.peers()).toMatchObject({ peers: [] })
  expect(await earshot.peers()).toMatchObject({ peers: [] })
  expect(() => new Earshot({ timeout: Number.NaN })).toThrow(RangeError)
})

test('one signal can be used for many calls without a warning', async () => {
  const { earshot } = await answering(200, { epoch: 'e1', index: 1, peers: [], attributes: {} })
  const warnings: Error[] = []
  const note = (warning: Error) => void warnings.push(warning)
  process.on('warning', note)
  const controller = new AbortController()
  const options = { signal: controller.signal }
  const calls = Array.from({ length: 12 }, () => [
    earshot.peers({}, options),
    earshot.waitFor({}, options),
    earshot.watch({}, options).next(),
  ]).flat()
  const settled = Promise.allSettled(calls)
  await new Promise((resolve) => setTimeout(resolve, 50))
  controller.abort(new Error('enough'))
  await settled
  process.off('warning', note)
  expect(warnings).toEqual([])
})

describe('services', () => {
  test('are filtered by type, name, peer and state', async () => {
    const { earshot, asked } = await answering(200, { epoch: 'e1', index: 1, services: [] })
    expect(await earshot.services()).toEqual({ epoch: 'e1', index: 1, services: [] })
    await earshot.services({ type: ['http', 'osc'], name: 'Shop', peer: 'kitchen', state: 'all', self: true })
    expect(asked()?.url.search).toBe('?type=http&type=osc&name=Shop&peer=kitchen&state=all&self=1')
  })
})

describe('waitFor', () => {
  test('uses blocking queries until enough peers match', async () => {
    const daemon = await ScriptedDaemon.start()
    const peers: Peer[] = [somePeer('a')]
    daemon.reply = ({ url }) => {
      if (url.pathname !== '/v1/peers') return undefined
      const body = { epoch: 'e1', index: peers.length, peers: [...peers] }
      peers.push(somePeer('b'))
      return { status: 200, body }
    }
    const found = await new Earshot({ socket: daemon.socket }).waitFor(
      { service: 'http', count: 3 },
      { timeout: 20_000 },
    )
    expect(found.map(({ name }) => name)).toEqual(['a', 'b', 'b'])
    const asked = daemon.requests.filter(({ url }) => url.pathname === '/v1/peers').map(({ url }) => url.searchParams)
    expect(asked.map((query) => query.get('since'))).toEqual([null, 'e1-1', 'e1-2'])
    expect(asked[0]?.get('state')).toBe('alive')
    expect(asked[0]?.get('service')).toBe('http')
    expect(asked.map((query) => query.get('wait')?.length)).toEqual([undefined, 7, 7])
    expect(asked[1]?.get('wait')).toMatch(/^(20000|19\d{3})ms$/)
  })

  test('reports the number of peers found when the timeout expires', async () => {
    const daemon = await ScriptedDaemon.start()
    daemon.change('peer-up', somePeer('a'))
    const earshot = new Earshot({ socket: daemon.socket })
    const timeout = { code: 'EARSHOT_TIMED_OUT', message: 'after 30 ms, 1 of 2 peers were found' }
    await expect(earshot.waitFor({ count: 2 }, { timeout: 30 })).rejects.toMatchObject(timeout)
    await expect(earshot.waitFor({ count: 0 })).rejects.toThrow(RangeError)
    for (const timeout of [Number.NaN, -1]) await expect(earshot.waitFor({}, { timeout })).rejects.toThrow(RangeError)
  })

  test.each([408, 503])('tries again after a %i', async (status) => {
    const daemon = await ScriptedDaemon.start()
    daemon.change('peer-up', somePeer('a'))
    let refusals = 3
    daemon.reply = ({ url }) =>
      url.pathname === '/v1/peers' && refusals-- > 0
        ? { status, body: { code: 'EARSHOT_BAD_REQUEST', message: 'the request did not come in time' } }
        : undefined
    expect(await new Earshot({ socket: daemon.socket }).waitFor({})).toMatchObject([{ name: 'a' }])
    expect(refusals).toBe(-1)
  })

  test('tries again when a busy daemon closes the connection', async () => {
    const daemon = await ScriptedDaemon.start()
    daemon.change('peer-up', somePeer('a'))
    daemon.connectionsToClose = 3
    expect(await new Earshot({ socket: daemon.socket }).waitFor({})).toMatchObject([{ name: 'a' }])
    expect(daemon.connectionsToClose).toBe(0)
  })

  test('continues when the daemon restarts, but needs a daemon at the start', async () => {
    const daemon = await ScriptedDaemon.start()
    const earshot = new Earshot({ socket: daemon.socket })
    let isAway = true
    daemon.reply = ({ url }) => (isAway && url.pathname === '/v1/peers' ? new Promise(() => {}) : undefined)
    const found = earshot.waitFor({ name: 'a' })
    await daemon.until(() => daemon.requests.some(({ url }) => url.pathname === '/v1/peers'))
    isAway = false
    await daemon.restart('e2', somePeer('a'))
    expect(await found).toMatchObject([{ name: 'a' }])
    await daemon.stop()
    await expect(earshot.waitFor({})).rejects.toMatchObject({ code: 'EARSHOT_NO_DAEMON' })
  })
})

describe('resolve', () => {
  const kitchen = somePeer('kitchen', { addresses: [linkLocal, ipv6, ipv4] })
  const shop = somePeer('counter', { services: kitchen.services.map((web) => ({ ...web, name: 'Shop', port: 8081 })) })

  async function knowing(...peers: Peer[]): Promise<Earshot> {
    const daemon = await ScriptedDaemon.start()
    daemon.peers = peers
    daemon.registry.mdns = mdnsKnowing({ 'scanner.local': [{ ...linkLocal, address: 'fe80::1' }, ipv4] })
    return new Earshot({ socket: daemon.socket })
  }

  test('a peer resolves to its best address, or the best of a family', async () => {
    const earshot = await knowing(kitchen, somePeer('lonely', { addresses: [linkLocal] }))
    expect(await earshot.resolve('kitchen')).toEqual({
      peer: kitchen,
      address: '192.168.1.20',
      family: 'ipv4',
      hostname: '192.168.1.20',
      host: '192.168.1.20',
      source: 'beacon',
    })
    expect(await earshot.resolve('kitchen', { family: 'ipv6' })).toMatchObject({
      address: 'fd00::20',
      host: '[fd00::20]',
    })
    const lonely = { address: 'fe80::1%eth0', hostname: '[fe80::1%25eth0]' }
    expect(await earshot.resolve('lonely')).toMatchObject(lonely)
    await expect(earshot.resolve('lonely', { family: 'ipv4' })).rejects.toMatchObject({ code: 'EARSHOT_UNRESOLVED' })
  })

  test('a service resolves to address and port, by its peer or by its own name', async () => {
    const earshot = await knowing(kitchen, shop)
    const web = { port: 8080, host: '192.168.1.20:8080', service: { id: 'web' } }
    expect(await earshot.resolve('kitchen', { service: 'http' })).toMatchObject(web)
    const onSix = await earshot.resolve('kitchen', { service: '_http._tcp', family: 'ipv6' })
    expect(onSix.host).toBe('[fd00::20]:8080')
    expect(new URL(`http://${onSix.host}`).port).toBe('8080')
    expect(await earshot.resolve('Shop')).toMatchObject({ port: 8081, peer: { name: 'counter' } })
    const osc = earshot.resolve('kitchen', { service: 'osc' })
    await expect(osc).rejects.toThrow("'kitchen' offers no service of type osc")
    await expect(earshot.resolve('cellar')).rejects.toThrow("no peer and no service is called 'cellar'")
  })

  test('a service that mDNS adds to a peer resolves to its own address, with the source mdns', async () => {
    const addresses = [{ ...ipv4, address: '192.168.1.21' }]
    const web = kitchen.services[0]
    if (!web) throw new Error('no service')
    const ipp = { ...web, id: 'ipp', type: '_ipp._tcp', port: 631, source: 'mdns' as const, addresses }
    const earshot = await knowing({ ...kitchen, services: [web, ipp] })
    expect(await earshot.resolve('kitchen', { service: 'ipp' })).toMatchObject({
      host: '192.168.1.21:631',
      source: 'mdns',
    })
    expect(await earshot.resolve('kitchen', { service: 'http' })).toMatchObject({
      host: '192.168.1.20:8080',
      source: 'beacon',
    })
  })

  test('a signed result has no services that mDNS adds to the peer', async () => {
    const web = { ...kitchen.services[0], name: 'Shop' } as Peer['services'][number]
    const ipp = { ...web, id: 'ipp', name: 'Office', type: '_ipp._tcp', port: 631, source: 'mdns' as const }
    const earshot = await knowing({ ...kitchen, services: [web, ipp] })
    expect((await earshot.resolve('Shop')).peer?.services).toEqual([web, ipp])
    expect((await earshot.resolve('Shop', { signed: true })).peer?.services).toEqual([web])
    expect((await earshot.resolve('kitchen', { signed: true })).peer?.services).toEqual([web])
  })

  test('an mDNS host does not replace a failed peer of the same name', async () => {
    const earshot = await knowing(somePeer('scanner.local', { state: 'failed' }))
    await expect(earshot.resolve('scanner.local')).rejects.toMatchObject({ code: 'EARSHOT_UNRESOLVED' })
  })

  test.each<[string, string[], string | undefined]>([
    ['two peers that have signed it', ['k alive', 's suspect'], undefined],
    ['a peer that has signed it, and an mDNS host', ['k alive', 'p.local alive mdns'], undefined],
    ['a failed peer that has signed it, and an mDNS host', ['k failed', 'p.local alive mdns'], undefined],
    ['two mDNS hosts', ['q.local alive mdns', 'p.local alive mdns'], undefined],
    ['a peer that has signed it, and a failed one', ['k failed', 's alive'], 's'],
    ['an mDNS host, and a failed one', ['q.local failed mdns', 'p.local alive mdns'], 'p.local'],
    ['one suspect peer', ['k suspect'], 'k'],
  ])('a service offered by %s', async (_, offerers, expected) => {
    const earshot = await knowing(
      ...offerers.map((text) => {
        const [name = '', state, source] = text.split(' ')
        const services = kitchen.services.map((web) => ({
          ...web,
          name: 'Shop',
          ...(source && { source: 'mdns' as const }),
        }))
        return somePeer(name, {
          id: source ? name : name.repeat(26),
          state: state as Peer['state'],
          source: source ? 'mdns' : 'beacon',
          services,
        })
      }),
    )
    const resolved = earshot.resolve('Shop')
    if (expected) return expect(await resolved).toMatchObject({ peer: { name: expected } })
    await expect(resolved).rejects.toMatchObject({
      code: 'EARSHOT_AMBIGUOUS_PEER',
      message: expect.stringMatching(/^several peers offer a service called 'Shop': .+, .+ \(give the id of one\)$/),
    })
  })

  test('an mDNS host resolves to its address, whether it is listed or has to be queried', async () => {
    const printer = somePeer('Printer', { id: 'printer.local', source: 'mdns' })
    const earshot = await knowing(printer, { ...printer, id: 'scanner.local', state: 'failed' })
    expect(await earshot.resolve('printer.local')).toMatchObject({ peer: { id: 'printer.local' } })
    expect(await earshot.resolve('printer.local', { service: 'http' })).toMatchObject({ port: 8080 })
    const scanner = await earshot.resolve('scanner.local')
    expect(scanner).toMatchObject({ address: '192.168.1.20', host: '192.168.1.20' })
    await expect(earshot.resolve('nobody.local')).rejects.toMatchObject({ code: 'EARSHOT_UNRESOLVED' })
    await expect(earshot.resolve('nobody.local', { service: 'http' })).rejects.toThrow('no service of type http')
    expect(await earshot.host('scanner.local')).toEqual({ hostname: 'scanner.local', addresses: [linkLocal, ipv4] })
  })

  test('a failed peer is not resolved', async () => {
    const earshot = await knowing({ ...kitchen, state: 'failed' })
    await expect(earshot.resolve('kitchen')).rejects.toThrow("'kitchen' is not present: it has failed")
  })
})

describe('over loopback', () => {
  async function listening(): Promise<{ url: string; tokens: (string | undefined)[] }> {
    const tokens: (string | undefined)[] = []
    const server = createServer(({ headers }, response) => {
      tokens.push(headers.authorization)
      response.end('{"attributes":{}}')
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void server.close())
    return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, tokens }
  }

  test('changes carry the token from beside the socket, other requests do not', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'earshot-client-'))
    onTestFinished(() => rm(directory, { recursive: true }))
    await writeFile(join(directory, 'token'), 'secret\n')
    const { url, tokens } = await listening()
    const context = { env: { EARSHOT_SOCKET: join(directory, 'control.sock') }, uid: 1, temporaryDirectory: '/nowhere' }
    const transport = new Transport({ url }, context)
    await transport.send({ path: '/' })
    await transport.send({ method: 'PATCH', path: '/', body: {} })
    expect(tokens).toEqual([undefined, 'Bearer secret'])
    const elsewhere = { ...context, env: { EARSHOT_SOCKET: '/nowhere/control.sock' } }
    await new Transport({ url }, elsewhere).send({ method: 'PATCH', path: '/', body: {} })
    expect(tokens.at(-1)).toBeUndefined()
  })
})

test('filters select the same peers in the client and in the daemon', async () => {
  const { peerFilter } = await import('../../src/daemon/control/peer-filter.ts')
  const services = ['_http._tcp', '_HTTP._udp', '_osc._udp', '_NVstream_dbd._tcp', '_androidtvremote2._tcp'].map(
    (type, id) => ({
      id: `${id}`,
      name: 'x',
      type,
      port: 1,
    }),
  )
  const peers = services.map((service, number) =>
    somePeer(`p${number}`, {
      services: [{ ...service, txt: {}, subtypes: [] }],
      attributes: { n: number, text: `${number}`, yes: true },
    }),
  )
  const usual = ['http', '_http', 'HTTP/tcp', '_http._udp', 'osc/udp', 'osc', 'ipp']
  for (const service of [...usual, '_nvstream_dbd._tcp', 'nvstream_dbd', 'androidtvremote2/tcp', '_undefined']) {
    const asked = peerFilter({ service: [service], state: ['all'] })
    expect(peers.filter(peerMatcher({ service }))).toEqual(peers.filter((peer) => asked(peer)))
  }
  for (const [key, value] of Object.entries({ n: ' 1.0', text: '1', yes: 'true', no: '', N: '1' })) {
    const asked = peerFilter({ [`attr.${key}`]: [value] })
    expect(peers.filter(peerMatcher({ attributes: { [key]: value } }))).toEqual(peers.filter((peer) => asked(peer)))
  }
  expect(peers.filter(peerMatcher({ service: 'nvstream_dbd' })).map(({ name }) => name)).toEqual(['p3'])
  expect(peers.filter(peerMatcher({ service: 'a b' }))).toEqual([])
})

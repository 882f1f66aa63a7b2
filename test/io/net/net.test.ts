import { randomInt } from 'node:crypto'
import { createSocket, type Socket } from 'node:dgram'
import { afterEach, expect, test, vi } from 'vitest'
import type { DatagramSource } from '../../../src/core/link.ts'
import { InterfaceMonitor } from '../../../src/io/net/interface-monitor.ts'
import { Net } from '../../../src/io/net/net.ts'

// All tests use `lo`, each with a random port.
const nets: Net[] = []
const sockets: Socket[] = []

afterEach(async () => {
  await Promise.all(nets.splice(0).map((net) => net.close()))
  for (const socket of sockets.splice(0)) socket.close()
})

const randomPort = (): number => randomInt(20_000, 60_000)

/** Intervals of periodic work, ms. */
interface Timing {
  look?: number
  rejoin?: number
}

function make(port: number, { look, rejoin }: Timing = {}, include: string[] = ['lo'], sharedPort = false): Net {
  const options = { port, group4: '239.255.153.53', group6: 'ff12::153:53', include, exclude: [], sharedPort }
  const net = new Net(options, new InterfaceMonitor(options, look), rejoin)
  nets.push(net)
  return net
}

function record(net: Net): { text: string; source: DatagramSource }[] {
  const all: { text: string; source: DatagramSource }[] = []
  net.on('datagram', (bytes, source) => all.push({ text: Buffer.from(bytes).toString(), source }))
  return all
}

test('two processes on lo receive each other and themselves, by broadcast and multicast', async () => {
  const port = randomPort()
  const a = make(port)
  const b = make(port)
  await a.open()
  await b.open()
  expect(a.interfaces).toEqual([
    { name: 'lo', addresses: expect.anything(), paths: expect.arrayContaining(['broadcast', 'multicast4']) },
  ])
  const heards = [record(a), record(b)]
  for (const path of ['broadcast', 'multicast4'] as const) a.send('lo', path, Buffer.from(path))
  for (const heard of heards) {
    await vi.waitFor(() => expect(heard).toHaveLength(2))
    for (const { text, source } of heard) {
      expect(source).toEqual({ interface: 'lo', path: text, address: '127.0.0.1', port, onLink: true, own: true })
    }
  }
})

test('receives unicast, and ignores invalid addresses and ports', async () => {
  const port = randomPort()
  const net = make(port)
  await net.open()
  const heard = record(net)
  for (const [address, to] of [
    ['127.0.0.1', 0],
    ['127.0.0.1', 70_000],
    ['localhost', port],
    ['fe80::1', port],
    ['127.0.0.1', port],
  ] as const) {
    net.sendTo('lo', address, to, Buffer.from(`${address} ${to}`))
  }
  net.sendTo('nothing', '127.0.0.1', port, Buffer.from('x'))
  net.send('lo', 'multicast6', Buffer.from('x'))
  await vi.waitFor(() => expect(heard).toHaveLength(1))
  expect(heard[0]?.text).toBe(`127.0.0.1 ${port}`)
  expect(heard[0]?.source.path).toBe('unicast')
})

test('a port that another process holds is refused, and nothing stays open', async () => {
  const port = randomPort()
  const holder = createSocket('udp4')
  sockets.push(holder)
  await new Promise<void>((resolve) => holder.bind(port, '0.0.0.0', resolve))
  const net = make(port)
  await expect(net.open()).rejects.toMatchObject({
    code: 'EARSHOT_PORT_IN_USE',
    message: expect.stringContaining(`cannot bind UDP port ${port} on`),
  })
  expect(net.interfaces).toEqual([])
})

test('on a shared port other programs receive too, and unicast stays theirs', async () => {
  const port = randomPort()
  const other = createSocket({ type: 'udp4', reuseAddr: true })
  sockets.push(other)
  const others: string[] = []
  other.on('message', (bytes) => others.push(bytes.toString()))
  await new Promise<void>((resolve) => other.bind(port, resolve))
  other.addMembership('239.255.153.53', '127.0.0.1')
  other.setMulticastInterface('127.0.0.1')
  const net = make(port, {}, ['lo'], true)
  await net.open()
  expect(net.interfaces).toMatchObject([{ name: 'lo', paths: ['multicast4'] }])
  const heard = record(net)
  net.send('lo', 'broadcast', Buffer.from('broadcast'))
  net.send('lo', 'multicast4', Buffer.from('ours'))
  net.sendTo('lo', '127.0.0.1', port, Buffer.from('unicast'))
  other.send('theirs', port, '239.255.153.53')
  await vi.waitFor(() => expect(others.sort()).toEqual(['ours', 'theirs', 'unicast']))
  await vi.waitFor(() => expect(heard.map(({ text }) => text).sort()).toEqual(['ours', 'theirs']))
  const expected = { interface: 'lo', path: 'multicast4', address: '127.0.0.1', port, onLink: true, own: true }
  for (const one of heard) expect(one.source).toEqual(expected)
  net.renew('lo', 'multicast4')
  await vi.waitFor(() => {
    net.send('lo', 'multicast4', Buffer.from('again'))
    expect(heard.at(-1)?.text).toBe('again')
  })
})

test('a port that another program does not share is a fault, and is used once it is free', async () => {
  const port = randomPort()
  const holder = createSocket('udp4')
  await new Promise<void>((resolve) => holder.bind(port, '0.0.0.0', resolve))
  const net = make(port, { look: 20 }, ['lo'], true)
  const told: string[] = []
  net.on('fault', ({ path, error }) => told.push(`${path} ${error.message}`))
  net.on('recovered', ({ path }) => told.push(`${path} recovered`))
  await net.open()
  expect(net.interfaces).toMatchObject([{ name: 'lo', paths: [] }])
  await vi.waitFor(() => expect(told).toHaveLength(2), 3000)
  const reason = `another program does not share UDP port ${port}`
  for (const path of ['multicast4', 'unicast'])
    expect(told).toContainEqual(expect.stringContaining(`${path} ${reason}`))
  await new Promise<void>((resolve) => holder.close(resolve))
  await vi.waitFor(() => expect(told).toHaveLength(4), 3000)
  expect(told.slice(2).sort()).toEqual(['multicast4 recovered', 'unicast recovered'])
  expect(net.interfaces).toMatchObject([{ name: 'lo', paths: ['multicast4'] }])
})

test('opens without any interface', async () => {
  const net = make(randomPort(), {}, ['nothing0'])
  const interfaces = vi.fn()
  net.on('interfaces', interfaces)
  const unusable = vi.fn()
  net.on('unusable', unusable)
  await net.open()
  expect(net.status()).toMatchObject({ interfaces: [], faults: [] })
  expect(net.status().leftOut).toContainEqual(expect.objectContaining({ name: 'nothing0', cause: 'missing' }))
  expect(unusable).toHaveBeenCalledOnce()
  expect(interfaces).not.toHaveBeenCalled()
})

test('reports its interfaces once, and a fault once until it ends', async () => {
  const port = randomPort()
  const net = make(port, { look: 50 })
  const told: string[] = []
  net.on('interfaces', (interfaces) => told.push(`interfaces ${interfaces.map(({ name }) => name)}`))
  net.on('fault', ({ interface: name, path, error }) => told.push(`fault ${name} ${path} ${error.message}`))
  net.on('recovered', ({ interface: name, path }) => told.push(`recovered ${name} ${path}`))
  await net.open()
  expect(told).toEqual(['interfaces lo'])
  // The kernel refuses it: it is larger than a datagram can be.
  const sending = setInterval(() => net.send('lo', 'multicast4', Buffer.alloc(70_000)), 20)
  await vi.waitFor(() => expect(told).toHaveLength(2), 3000)
  expect(told[1]).toMatch(/^fault lo multicast4 send EMSGSIZE/)
  expect(net.status().faults).toHaveLength(1)
  await new Promise((resolve) => setTimeout(resolve, 200))
  clearInterval(sending)
  net.send('lo', 'broadcast', Buffer.from('works'))
  net.send('lo', 'multicast4', Buffer.from('works'))
  await vi.waitFor(() => expect(told).toHaveLength(3))
  expect(told[2]).toBe('recovered lo multicast4')
  expect(net.status().faults).toEqual([])
})

test('receives after a path was renewed, and while groups are rejoined all the time', async () => {
  const port = randomPort()
  const net = make(port, { look: 5, rejoin: 10 })
  await net.open()
  const interfaces = vi.fn()
  net.on('interfaces', interfaces)
  const heard = record(net)
  for (let i = 0; i < 50; i++) {
    net.renew('lo', 'multicast4')
    net.renew('lo', 'broadcast')
    net.renew('lo', 'multicast6')
    net.renew('nothing', 'broadcast')
  }
  await new Promise((resolve) => setTimeout(resolve, 200))
  for (const path of ['broadcast', 'multicast4'] as const) net.send('lo', path, Buffer.from(path))
  await vi.waitFor(() => expect(heard.map(({ text }) => text).sort()).toEqual(['broadcast', 'multicast4']))
  expect(net.status().faults).toEqual([])
  expect(interfaces).not.toHaveBeenCalled()
})

test('is silent after close', async () => {
  const port = randomPort()
  const a = make(port)
  const b = make(port)
  await a.open()
  await b.open()
  const heard = record(a)
  await a.close()
  b.send('lo', 'broadcast', Buffer.from('x'))
  a.send('lo', 'broadcast', Buffer.from('x'))
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect(heard).toEqual([])
  await a.close()
})

import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Running, start } from './command.ts'
import { FakeDaemon } from './fake-daemon.ts'
import { ago, NOW, somePeer, studio } from './some-peers.ts'

let daemon: FakeDaemon
let watch: Running | undefined

beforeEach(async () => {
  daemon = new FakeDaemon()
  await daemon.start()
})
afterEach(async () => {
  watch?.child.kill('SIGKILL')
  await daemon.remove()
})

function begin(...args: string[]): Running {
  watch = start(['watch', '--socket', daemon.socket, ...args])
  return watch
}

const AT = new Date(NOW).toISOString()

test('prints the initial state, a colon, then changes with their signs', async () => {
  daemon.peers = [somePeer()]
  const { line } = begin()
  const kitchen = `kitchen\talive\t192.168.1.20,fe80::1%eth0\thttp:8080 mqtt:1883`
  expect(await line()).toBe(`+\t${AT}\t${kitchen}\t`)
  expect(await line()).toBe(':')

  daemon.change('peer-up', { ...studio, state: 'alive' })
  expect(await line()).toBe(`+\t${AT}\tstudio\talive\t192.168.1.44\tosc/udp:9000\t`)
  daemon.change('peer-suspect', studio)
  expect(await line()).toBe(`?\t${AT}\tstudio\tsuspect\t192.168.1.44\tosc/udp:9000\t`)
  daemon.change('peer-up', { ...studio, state: 'alive' })
  expect(await line()).toBe(`~\t${AT}\tstudio\talive\t192.168.1.44\tosc/udp:9000\talive again`)
  daemon.change('peer-update', somePeer({ attributes: { status: 'busy' }, services: [] }))
  expect(await line()).toBe(
    `~\t${AT}\tkitchen\talive\t192.168.1.20,fe80::1%eth0\t\t-http:8080, -mqtt:1883, status=busy, -temperature`,
  )
  daemon.change('peer-left', { ...studio, state: 'left' })
  expect(await line()).toBe(`-\t${AT}\tstudio\tleft\t192.168.1.44\tosc/udp:9000\t`)
})

test('exits with 0 and no message on SIGINT', async () => {
  const { line, child, ended } = begin()
  expect(await line()).toBe(':')
  child.kill('SIGINT')
  expect(await ended).toBe(0)
  expect(await line('stderr')).toBeUndefined()
})

test('exits with 0 and no message when its reader closes the pipe', async () => {
  const { line, child, ended } = begin()
  expect(await line()).toBe(':')
  child.stdout?.destroy()
  daemon.change('peer-up', studio)
  expect(await ended).toBe(0)
  expect(await line('stderr')).toBeUndefined()
})

test('reconnects when the daemon restarts, and prints what differs', async () => {
  const printer = somePeer({ id: 'ppppppppppaaaaaaaaaaaaaaaa', name: 'printer' })
  daemon.peers = [printer, somePeer(), studio]
  const { line } = begin()
  for (const sign of ['+', '+', '+', ':']) expect((await line())?.[0]).toBe(sign)

  await daemon.stop()
  expect(await line('stderr')).toBe('earshot: the daemon has gone: waiting for it to come back')
  daemon.peers = [somePeer({ lastSeen: ago(0) }), { ...studio, state: 'alive' }, somePeer({ id: 'new', name: 'new' })]
  await daemon.restart('second', ...daemon.peers)
  expect(await line('stderr')).toBe('earshot: the daemon is back')
  expect((await line())?.split('\t')).toMatchObject({ 0: '~', 2: 'studio', 6: 'alive again' })
  expect((await line())?.split('\t')).toMatchObject({ 0: '+', 2: 'new' })
  daemon.change('peer-left', { ...studio, state: 'left' })
  expect((await line())?.split('\t')).toMatchObject({ 0: '-', 2: 'studio' })
  // The new daemon may still hear this peer, so it counts as failed only after some time.
  expect((await line())?.split('\t')).toMatchObject({ 0: '-', 2: 'printer', 3: 'failed' })
})

test('prints nothing twice when only the connection was lost', async () => {
  daemon.peers = [somePeer()]
  const { line } = begin()
  for (const sign of ['+', ':']) expect((await line())?.[0]).toBe(sign)
  await daemon.stop()
  await daemon.start()
  expect(await line('stderr')).toContain('has gone')
  expect(await line('stderr')).toContain('is back')
  daemon.change('peer-suspect', somePeer({ state: 'suspect' }))
  expect((await line())?.[0]).toBe('?')
  expect(daemon.asked.at(-1)).toContain('since=9f3c1d-')
})

test('a peer that no longer offers the service is shown as gone', async () => {
  daemon.peers = [somePeer()]
  const { line } = begin('--service', 'mqtt')
  for (const sign of ['+', ':']) expect((await line())?.[0]).toBe(sign)
  daemon.change('peer-update', somePeer({ services: [] }))
  expect((await line())?.split('\t')).toMatchObject({ 0: '-', 6: '-http:8080, -mqtt:1883' })
  expect(daemon.asked[0]).toContain('service=mqtt')
})

test('--json prints one event per line', async () => {
  daemon.peers = [somePeer()]
  const { line } = begin('--json')
  expect(JSON.parse((await line()) ?? '')).toEqual({ type: 'peer', index: 1842, at: AT, peer: somePeer() })
  expect(JSON.parse((await line()) ?? '')).toEqual({ type: 'sync', epoch: '9f3c1d', index: 1842, at: AT })
  daemon.change('peer-left', studio)
  expect(JSON.parse((await line()) ?? '')).toEqual({ type: 'peer-left', index: 1843, at: AT, peer: studio })
})

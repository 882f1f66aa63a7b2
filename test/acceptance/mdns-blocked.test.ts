import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Daemon, describeLab, type Host, Lab } from '../lab/index.ts'
import { addressesOf, peersWithEvent, startAll, waitForPeerEvent, waitUntilAllAlive } from './daemons.ts'
import { openEvents, output, register, waitForServiceEvent } from './mdns.ts'

describeLab('a peer whose beacons are blocked, but not its mDNS', () => {
  let lab: Lab
  let desk: Host
  let kitchen: Host
  let daemon: Daemon
  let other: Daemon
  beforeAll(async () => {
    lab = await Lab.create()
    const [one, two] = await lab.hosts(['desk', 'kitchen'], [await lab.network('lan')])
    if (!one || !two) throw new Error('no hosts')
    ;[desk, kitchen] = [one, two]
    const [at, from] = await startAll([desk, kitchen])
    if (!at || !from) throw new Error('no daemons')
    ;[daemon, other] = [at, from]
    await waitUntilAllAlive([daemon, other])
  })
  afterAll(() => lab?.close())

  const shown = async () => (await daemon.peers()).map(({ name, source, state }) => `${name} ${source} ${state}`)

  it('is listed once by its beacons, then by its _earshot._udp service with source mdns, then by its beacons again', async () => {
    using events = await openEvents(daemon)
    const { id } = await other.self()
    await register(other, 'shop', { name: 'Shop', type: 'http', port: 8080, txt: { path: '/' } })
    await waitForServiceEvent(events, 'service-up', 'Shop')
    expect(await shown()).toEqual(['kitchen beacon alive'])

    await desk.blockPath('broadcast', 'multicast4', 'multicast6', 'unicast')
    const failed = await waitForPeerEvent(events, 'peer-failed', 'kitchen', { timeoutMs: 20_000 })
    expect(failed.peer.source).toBe('beacon')
    const up = await waitForPeerEvent(events, 'peer-up', 'kitchen', { wanted: ({ source }) => source === 'mdns' })
    console.info(`listed by mDNS ${Date.parse(up.at) - Date.parse(failed.at)} ms after it failed by beacons`)
    const [peer, ...more] = await daemon.peers()
    expect(more).toEqual([])
    expect(peer).toMatchObject({
      ...{ name: 'kitchen', source: 'mdns', state: 'alive', hostname: 'kitchen.local' },
      paths: [{ interface: 'eth0', path: 'mdns' }],
      services: [{ name: 'Shop', type: '_http._tcp', port: 8080, txt: { path: '/' } }],
    })
    // mDNS is not authenticated, so it must not prove a peer id.
    expect(peer?.id).not.toBe(id)
    if (peer) expect(addressesOf(peer)).toEqual([kitchen.address()])
    expect(await output(desk, 'ls', '--no-headers')).toMatch(/^kitchen\talive\t.*\thttp:8080\t.*\teth0 mdns\n$/)

    const from = events.events.length
    await desk.clearRules()
    await waitForPeerEvent(events, 'peer-up', 'kitchen', { from, wanted: ({ source }) => source === 'beacon' })
    await expect.poll(shown, { timeout: 5000 }).toEqual(['kitchen beacon alive'])
    expect(peersWithEvent(events, 'peer-failed', from)).toEqual([])
  })

  it('is also listed by a daemon that has never received its beacons', async () => {
    await desk.blockPath('broadcast', 'multicast4', 'multicast6', 'unicast')
    await daemon.restart()
    await expect.poll(shown, { timeout: 10_000 }).toEqual(['kitchen mdns alive'])
    using events = await openEvents(daemon)
    await other.stop()
    await waitForPeerEvent(events, 'peer-left', 'kitchen', { timeoutMs: 5000 })
    expect(await shown()).toEqual([])
  })
})

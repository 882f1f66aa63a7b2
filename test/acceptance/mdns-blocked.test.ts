import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Daemon, describeLab, type Host, Lab } from '../lab/index.ts'
import { live, output, register, serviceTold } from './mdns.ts'
import { acquainted, addressesOf, nextEvent, startAll, told } from './measure.ts'

describeLab('a peer whose beacons are blocked, but whose mDNS is not', () => {
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
    await acquainted([daemon, other])
  }, 60_000)
  afterAll(() => lab?.close())

  const shown = async () => (await daemon.peers()).map(({ name, source, state }) => `${name} ${source} ${state}`)

  it('is listed once while it beacons; by _earshot._udp, and marked so, when that ends; and as before when it is back', async () => {
    using events = await live(daemon)
    const { id } = await other.self()
    await register(other, 'shop', { name: 'Shop', type: 'http', port: 8080, txt: { path: '/' } })
    await serviceTold(events, 'service-up', 'Shop')
    expect(await shown()).toEqual(['kitchen beacon alive'])

    await desk.blockPath('broadcast', 'multicast4', 'multicast6', 'unicast')
    const failed = await nextEvent(events, 'peer-failed', 'kitchen', { timeoutMs: 20_000 })
    expect(failed.peer.source).toBe('beacon')
    const up = await nextEvent(events, 'peer-up', 'kitchen', { wanted: ({ source }) => source === 'mdns' })
    console.info(`listed by mDNS ${Date.parse(up.at) - Date.parse(failed.at)} ms after its beacons had failed`)
    const [peer, ...more] = await daemon.peers()
    expect(more).toEqual([])
    expect(peer).toMatchObject({
      ...{ name: 'kitchen', source: 'mdns', state: 'alive', hostname: 'kitchen.local' },
      paths: [{ interface: 'eth0', path: 'mdns' }],
      services: [{ name: 'Shop', type: '_http._tcp', port: 8080, txt: { path: '/' } }],
    })
    // What anyone may say by mDNS is no proof of who it is.
    expect(peer?.id).not.toBe(id)
    if (peer) expect(addressesOf(peer)).toEqual([kitchen.address()])
    expect(await output(desk, 'ls', '--no-headers')).toMatch(/^kitchen\talive\t.*\thttp:8080\t.*\teth0 mdns\n$/)

    const from = events.events.length
    await desk.clearRules()
    await nextEvent(events, 'peer-up', 'kitchen', { from, wanted: ({ source }) => source === 'beacon' })
    await expect.poll(shown, { timeout: 5000 }).toEqual(['kitchen beacon alive'])
    expect(told(events, 'peer-failed', from)).toEqual([])
  }, 90_000)

  it('is listed as well by who has never heard a beacon of it', async () => {
    await desk.blockPath('broadcast', 'multicast4', 'multicast6', 'unicast')
    await daemon.restart()
    await expect.poll(shown, { timeout: 10_000 }).toEqual(['kitchen mdns alive'])
    using events = await live(daemon)
    await other.stop()
    await nextEvent(events, 'peer-left', 'kitchen', { timeoutMs: 5000 })
    expect(await shown()).toEqual([])
  }, 60_000)
})

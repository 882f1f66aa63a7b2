import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Avahi } from './avahi.ts'
import { describeMdnsLab } from './describe-lab.ts'
import type { Host } from './host.ts'
import { Lab } from './lab.ts'
import type { Zeroconf } from './zeroconf.ts'

describeMdnsLab('mDNS programs in the lab', () => {
  let lab: Lab
  let printer: Host
  let desk: Host
  let laptop: Host
  let atPrinter: Avahi
  let atDesk: Avahi
  let zeroconf: Zeroconf
  beforeAll(async () => {
    lab = await Lab.create()
    const [one, two, three] = await lab.hosts(['printer', 'desk', 'laptop'], [await lab.network('lan')])
    if (!one || !two || !three) throw new Error('no hosts')
    ;[printer, desk, laptop] = [one, two, three]
    ;[atPrinter, atDesk, zeroconf] = await Promise.all([printer.avahi(), desk.avahi(), laptop.zeroconf()])
  })
  afterAll(() => lab?.close())

  test('Avahi resolves a service of another Avahi completely, and sees its end', async () => {
    await using browser = await atDesk.watch('_ipp._tcp')
    const txt = ['a=b', 'path=/x;y']
    const office = await atPrinter.publish('Off.ice; 2\u00a0ü', '_ipp._tcp', 631, {
      txt,
      subtypes: ['_color._sub._ipp._tcp'],
    })
    expect(office.stderr).toEqual(["Established under name 'Off.ice; 2\u00a0ü'"])
    const what = { name: 'Off.ice; 2\u00a0ü', type: '_ipp._tcp', interface: 'eth0' }
    for (const protocol of ['IPv4', 'IPv6'] as const) {
      await browser.waitFor((line) => line.change === 'new' && line.protocol === protocol)
      const line = await browser.waitFor((line) => line.change === 'resolved' && line.protocol === protocol)
      expect(line).toMatchObject({ ...what, hostname: 'printer.local', port: 631, txt })
    }
    const resolved = { change: 'resolved', hostname: 'printer.local', port: 631, txt }
    expect((await atDesk.browse('_ipp._tcp')).sort(byProtocol)).toMatchObject([
      { ...what, ...resolved, protocol: 'IPv4', address: printer.address() },
      { ...what, ...resolved, protocol: 'IPv6', address: printer.linkLocal() },
    ])
    expect(await atDesk.browse('_color._sub._ipp._tcp')).toHaveLength(2)
    await office.kill('SIGTERM')
    for (const protocol of ['IPv4', 'IPv6']) {
      await browser.waitFor((line) => line.change === 'gone' && line.protocol === protocol, 5000)
    }
    expect(await atDesk.browse('_ipp._tcp')).toEqual([])
  })

  test('Avahi uses its configured host name, resolves other hosts, and takes another name on a conflict', async () => {
    expect(await atPrinter.hostname()).toBe('printer.local')
    expect(await atDesk.resolve('printer.local')).toBe(printer.address())
    expect(await atDesk.resolve('printer.local', 'ipv6')).toBe(printer.linkLocal())
    await using twin = await laptop.avahi({ name: 'printer', server: ['use-ipv6=no'] })
    expect(await twin.hostname()).toBe('printer-2.local')
    expect(await atDesk.resolve('printer-2.local')).toBe(laptop.address())
    expect(await atPrinter.hostname()).toBe('printer.local')
  })

  test('zeroconf sees a service of Avahi, and its end', async () => {
    await zeroconf.browse('_ssh._tcp')
    const ssh = await atPrinter.publish('Shell', '_ssh._tcp', 22, { txt: ['k=v', 'empty='] })
    const resolved = await zeroconf.waitFor((event) => event.event === 'resolved' && event.addresses.length === 2)
    expect(resolved).toMatchObject({
      name: 'Shell',
      type: '_ssh._tcp',
      port: 22,
      txt: { k: 'v', empty: '' },
      hostname: 'printer.local',
    })
    await ssh.kill()
    await zeroconf.waitFor(({ event }) => event === 'removed', 5000)
  })

  test('Avahi sees how zeroconf publishes, updates and withdraws a service', async () => {
    await using browser = await atDesk.watch('_http._tcp')
    const service = {
      ...{ name: 'Shop', type: '_http._tcp', port: 80, txt: { path: '/' }, hostname: 'laptop.local' },
      addresses: [laptop.address(), laptop.linkLocal()],
    }
    await zeroconf.publish(service)
    await browser.waitFor((line) => line.change === 'resolved' && line.txt.includes('path=/'))
    await zeroconf.update({ ...service, txt: { path: '/new' } })
    await expect.poll(() => atDesk.browse('_http._tcp')).toMatchObject([{ txt: ['path=/new'] }, { txt: ['path=/new'] }])
    await zeroconf.withdraw(service)
    await browser.waitFor((line) => line.change === 'gone', 5000)
    await expect(zeroconf.withdraw(service)).rejects.toThrow('KeyError')
  })

  test('Avahi and zeroconf can be started again on a host after they were killed', async () => {
    await atPrinter.kill()
    atPrinter = await printer.avahi({ name: 'renamed' })
    expect(await atDesk.resolve('renamed.local')).toBe(printer.address())
    await zeroconf.kill()
    zeroconf = await laptop.zeroconf()
    await zeroconf.close()
  })
})

function byProtocol(a: { protocol: string }, b: { protocol: string }): number {
  return a.protocol.localeCompare(b.protocol)
}

import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeLab } from './describe-lab.ts'
import type { Host } from './host.ts'
import { Lab } from './lab.ts'
import type { LabProcess } from './lab-process.ts'
import type { Network } from './network.ts'
import { unreachable } from './reachability.ts'
import { PYTHON, tool } from './sniffer.ts'

const GROUP4 = '239.255.153.53'
const GROUP6 = 'ff12::153:53'

/** Starts a listener on every path. Its output lines are `SENDER TEXT`. */
async function listen(host: Host, ...groups: string[]): Promise<LabProcess> {
  const listener = await host.spawn(PYTHON, [tool('udp.py'), 'listen', ...groups])
  await listener.waitForLine(/^ready$/)
  return listener
}

async function send(host: Host, text: string, targets: string[], count = 1): Promise<void> {
  const { code, stderr } = await host.exec(PYTHON, [tool('udp.py'), 'send', String(count), text, ...targets])
  expect(stderr).toBe('')
  expect(code).toBe(0)
}

describeLab('traffic in the lab', () => {
  let lab: Lab
  let net: Network
  let a: Host
  let b: Host
  let listener: LabProcess
  let texts = 0

  beforeAll(async () => {
    lab = await Lab.create()
    net = await lab.network('lan', { ipv4: '10.77.0.0/24' })
    a = await lab.host('a', [net])
    b = await lab.host('b', [net])
    listener = await listen(b, `${GROUP4}%eth0`, `${GROUP6}%eth0`)
  })
  afterAll(() => lab?.close())

  const all = (): string[] => [`${net.broadcast}%eth0`, `${GROUP4}%eth0`, `${GROUP6}%eth0`, b.address()]
  const names = ['broadcast', 'multicast4', 'multicast6', 'unicast']

  /** Sends `count` datagrams from a on each of the four paths. Returns the lines of the datagrams that b received. */
  async function received(count: number): Promise<string[]> {
    const text = `t${texts++}-`
    const from = listener.lines.items.length
    await send(a, text, all(), count)
    // No rule drops the datagrams that b sends to itself, and they arrive after those of a. Missing datagrams are lost.
    await send(b, `end-${text}`, ['127.0.0.1', '::1'])
    await listener.waitForLine(new RegExp(`end-${text}0-0`), 5000, from)
    await listener.waitForLine(new RegExp(`end-${text}1-0`), 5000, from)
    const lines = listener.lines.items.slice(from).map((line) => line.text)
    return lines.filter((line) => line.includes(` ${text}`))
  }

  /** The paths on which datagrams from a reach b. */
  async function arrivals(): Promise<string[]> {
    const lines = await received(1)
    return names.filter((_, index) => lines.some((line) => line.endsWith(`-${index}-0`)))
  }

  test('hosts reach each other with both IP versions, by broadcast, multicast and unicast', async () => {
    expect(a.address()).toBe('10.77.0.1')
    expect(b.address()).toBe('10.77.0.2')
    expect(await unreachable(a, b.address())).toBe('')
    expect(await unreachable(a, `${b.linkLocal()}%eth0`)).toBe('')
    expect(await arrivals()).toEqual(names)
  })

  test('each host has its own host name and /sys', async () => {
    expect((await a.exec('hostname')).stdout.trim()).toBe('a')
    expect((await a.exec('ls', ['/sys/class/net'])).stdout.split('\n').filter(Boolean)).toEqual(['eth0', 'lo'])
  })

  test('rules can restrict beacons to one path', async () => {
    for (const path of ['broadcast', 'multicast4', 'multicast6'] as const) {
      await b.onlyPath(path)
      expect(await arrivals()).toEqual([path, 'unicast'])
      await b.onlyPath(path, { unicast: false })
      expect(await arrivals()).toEqual([path])
      await b.clearRules()
      await net.onlyPath(path)
      expect(await arrivals()).toEqual([path, 'unicast'])
      await net.onlyPath(path, { unicast: false })
      expect(await arrivals()).toEqual([path])
      await net.clearRules()
    }
    await b.blockPath('broadcast')
    expect(await arrivals()).toEqual(['multicast4', 'multicast6', 'unicast'])
    await b.clearRules()
    expect(await arrivals()).toEqual(names)
  })

  test('a cut keeps the carrier, and an unplugged cable loses it', async () => {
    const carrier = async (): Promise<string> => (await b.exec('cat', ['/sys/class/net/eth0/carrier'])).stdout.trim()
    await b.cut()
    expect(await arrivals()).toEqual([])
    expect(await carrier()).toBe('1')
    await b.restore()
    expect(await arrivals()).toEqual(names)
    await b.unplug()
    expect(await carrier()).toBe('0')
    expect(await arrivals()).toEqual([])
    await b.plug()
    expect(await carrier()).toBe('1')
    expect(await arrivals()).toEqual(names)
  })

  test('a cut can affect one direction only', async () => {
    await b.cut('eth0', 'out')
    expect(await arrivals()).toEqual(names)
    await b.cut('eth0', 'in')
    expect(await arrivals()).toEqual([])
    await b.restore()
  })

  test('a partition heals', async () => {
    await net.partition([a], [b])
    expect(await arrivals()).toEqual([])
    await net.heal()
    expect(await arrivals()).toEqual(names)
  })

  test('drops about the requested share of datagrams', async () => {
    await b.drop(30)
    const count = (await received(500)).length
    // 70 % of 2,000 datagrams are 1,400. The standard deviation is 20, and the limits are five of them away.
    expect(count).toBeGreaterThan(1300)
    expect(count).toBeLessThan(1500)
    await b.drop(100)
    expect(await arrivals()).toEqual([])
    await b.drop(0)
    expect(await arrivals()).toEqual(names)
  })

  test('a link goes down and up again, once and repeatedly', async () => {
    await b.linkDown()
    expect(await arrivals()).toEqual([])
    await b.linkUp()
    await b.flip('eth0', 20)
    expect(await unreachable(a, `${b.linkLocal()}%eth0`)).toBe('')
    expect(await arrivals()).toContain('broadcast')
  })

  test('addresses can be added, removed and changed', async () => {
    await b.addAddress('eth0', '10.77.0.50')
    await b.changeAddress('eth0', '10.77.0.60')
    const shown = (await b.exec('ip', ['-brief', '-4', 'addr', 'show', 'eth0'])).stdout
    expect(shown).toContain('10.77.0.50/24')
    expect(shown).toContain('10.77.0.60/24')
    expect(shown).not.toContain('10.77.0.2/24')
    expect(b.address()).toBe('10.77.0.60')
    await b.removeAddress('eth0', '10.77.0.50')
    await b.changeAddress('eth0', '10.77.0.2')
    expect(await arrivals()).toContain('unicast')
  })

  test('captures datagrams, and injects datagrams with a forged source address', async () => {
    await using sniffer = await b.sniff()
    await using tap = await net.sniff()
    const payload = Buffer.from('forged')
    await a.inject(
      { src: '10.77.0.99', dst: net.broadcast, payload },
      { src: 'fe80::99', dst: GROUP6, payload, sport: 4000 },
      { src: '10.77.0.98', dst: b.address(), payload, dstMac: b.mac(), srcMac: '02:00:00:00:00:99', count: 3 },
    )
    await listener.waitForLine(/^10\.77\.0\.99 forged$/)
    await listener.waitForLine(/^fe80::99 forged$/)
    await listener.waitForLine(/^10\.77\.0\.98 forged$/)
    const seen = await sniffer.waitFor(({ src }) => src === 'fe80::99')
    expect(seen).toMatchObject({
      ...{ dst: GROUP6, sport: 4000, dport: 15353, outgoing: false, fragmented: false, hex: payload.toString('hex') },
      ...{ srcMac: a.mac(), dstMac: '33:33:01:53:00:53', ttl: 1, interface: 'eth0' },
    })
    await tap.waitFor(({ src }) => src === '10.77.0.98')
    await expect(a.inject({ src: '10.77.0.1', dst: '::1', payload })).rejects.toThrow('different families')
  })
})

import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeLab } from './describe-lab.ts'
import type { Host } from './host.ts'
import { Lab } from './lab.ts'
import type { LabProcess } from './lab-process.ts'
import type { Network } from './network.ts'
import { unreachable } from './reaches.ts'
import { PYTHON, tool } from './sniffer.ts'

const GROUP4 = '239.255.153.53'
const GROUP6 = 'ff12::153:53'

/** Starts a listener on every path; its lines are `SENDER TEXT`. */
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

  /** Sends from a on all four paths, `count` datagrams on each, and returns the lines that b heard. */
  async function heard(count: number): Promise<string[]> {
    const text = `t${texts++}-`
    const from = listener.lines.items.length
    await send(a, text, all(), count)
    // b's own words are not held up by any rule, and come after a's on both of its sockets: what is missing now is lost.
    await send(b, `end-${text}`, ['127.0.0.1', '::1'])
    await listener.waitForLine(new RegExp(`end-${text}0-0`), 5000, from)
    await listener.waitForLine(new RegExp(`end-${text}1-0`), 5000, from)
    const lines = listener.lines.items.slice(from).map((line) => line.text)
    return lines.filter((line) => line.includes(` ${text}`))
  }

  /** Which paths lead from a to b. */
  async function arrivals(): Promise<string[]> {
    const lines = await heard(1)
    return names.filter((_, index) => lines.some((line) => line.endsWith(`-${index}-0`)))
  }

  test('hosts reach each other: both IP versions, broadcast, both multicasts, unicast', async () => {
    expect(a.address()).toBe('10.77.0.1')
    expect(b.address()).toBe('10.77.0.2')
    expect(await unreachable(a, b.address())).toBe('')
    expect(await unreachable(a, `${b.linkLocal()}%eth0`)).toBe('')
    expect(await arrivals()).toEqual(names)
  })

  test('each host has a host name and a /sys of its own', async () => {
    expect((await a.exec('hostname')).stdout.trim()).toBe('a')
    expect((await a.exec('ls', ['/sys/class/net'])).stdout.split('\n').filter(Boolean)).toEqual(['eth0', 'lo'])
  })

  test('only one path passes', async () => {
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

  test('a cut is silent, a pulled plug is seen', async () => {
    const carrier = async (): Promise<string> => (await b.exec('cat', ['/sys/class/net/eth0/carrier'])).stdout.trim()
    await b.cut()
    expect(await arrivals()).toEqual([])
    expect(await carrier()).toBe('1')
    await b.mend()
    expect(await arrivals()).toEqual(names)
    await b.unplug()
    expect(await carrier()).toBe('0')
    expect(await arrivals()).toEqual([])
    await b.plug()
    expect(await carrier()).toBe('1')
    expect(await arrivals()).toEqual(names)
  })

  test('a cut may be one-way', async () => {
    await b.cut('eth0', 'out')
    expect(await arrivals()).toEqual(names)
    await b.cut('eth0', 'in')
    expect(await arrivals()).toEqual([])
    await b.mend()
  })

  test('a partition heals', async () => {
    await net.partition([a], [b])
    expect(await arrivals()).toEqual([])
    await net.heal()
    expect(await arrivals()).toEqual(names)
  })

  test('drops about as many datagrams as it was told', async () => {
    await b.drop(30)
    const count = (await heard(500)).length
    // 2,000 datagrams, 70 % of them: 1,400 with a standard deviation of 20; five of them each way.
    expect(count).toBeGreaterThan(1300)
    expect(count).toBeLessThan(1500)
    await b.drop(100)
    expect(await arrivals()).toEqual([])
    await b.drop(0)
    expect(await arrivals()).toEqual(names)
  })

  test('a link goes down and comes back, once and often', async () => {
    await b.linkDown()
    expect(await arrivals()).toEqual([])
    await b.linkUp()
    await b.flip('eth0', 20)
    expect(await unreachable(a, `${b.linkLocal()}%eth0`)).toBe('')
    expect(await arrivals()).toContain('broadcast')
  })

  test('addresses come, go and change', async () => {
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

  test('sniffs what passes and injects with a false sender', async () => {
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

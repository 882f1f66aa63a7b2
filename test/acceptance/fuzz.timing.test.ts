import { expect, it } from 'vitest'
import { decode, encode } from '../../src/core/wire/codec.ts'
import type { PeerId } from '../../src/core/wire/id.ts'
import type { Peer } from '../../src/shared/api.ts'
import type { Self } from '../../src/shared/self-api.ts'
import { type Daemon, describeLab, type Host, Lab, type Network } from '../lab/index.ts'
import { peerEvents, percentile90, startAll, waitUntilAllAlive } from './daemons.ts'
import { DaemonMonitor } from './event-load.ts'
import { mutatedDatagram, randomDatagram, SeededRandom } from './fuzz-data.ts'
import { type SpoofedDatagram, sendSpoofed } from './spoofed-datagrams.ts'
import { recordDatagrams, SyntheticPeer } from './synthetic-peer.ts'

const COUNT = 100_000
const GROUP4 = '239.255.153.53'
const GROUP6 = 'ff12::153:53'
const MIB = 1024 * 1024

/** The daemons and hosts of a fuzz test. */
interface Scene {
  lan: Network
  target: Daemon
  host: Host
  others: Daemon[]
  intruder: Host
}

async function scene(lab: Lab, count: number): Promise<Scene> {
  const lan = await lab.network('lan', { ipv4: '10.77.0.0/16' })
  const hosts = await lab.hosts(
    Array.from({ length: count + 1 }, (_, index) => `h${index}`),
    [lan],
  )
  const [intruder, host, ...rest] = hosts
  if (!intruder || !host) throw new Error('too few hosts')
  const [target, ...others] = await startAll([host, ...rest])
  if (!target) throw new Error('no daemon')
  await waitUntilAllAlive([target, ...others])
  return { lan, target, host, others, intruder }
}

/** A random path to the target with a random source address. */
function route(random: SeededRandom, { lan, host, intruder }: Scene): Omit<SpoofedDatagram, 'payload'> {
  const address = () => `10.77.${random.below(4)}.${1 + random.below(250)}`
  const src = random.choose([intruder.address(), host.address(), address(), address(), '192.0.2.9'])
  const src6 = random.choose([intruder.linkLocal(), host.linkLocal(), `fe80::${random.below(0xffff).toString(16)}`])
  return random.choose([
    { src, dst: lan.broadcast },
    { src, dst: GROUP4 },
    { src, dst: host.address(), dstMac: host.mac() },
    { src: src6, dst: GROUP6 },
    { src: src6, dst: host.linkLocal(), dstMac: host.mac() },
  ])
}

const isError = ({ level }: Record<string, unknown>) =>
  typeof level === 'number' ? level >= 50 : level === 'error' || level === 'fatal'

function receivedCount({ counters }: Self): number {
  return [...Object.values(counters.received), ...Object.values(counters.refused)].reduce((sum, each) => sum + each, 0)
}

describeLab('a flood of invalid datagrams', () => {
  it('200,000 random and mutated datagrams change nothing in a daemon', async () => {
    await using lab = await Lab.create()
    const environment = await scene(lab, 4)
    const { lan, target, others, intruder } = environment
    await using tap = await lan.sniff()
    // Captures messages of all types: those of start, normal operation and shutdown.
    const leaver = others.pop()
    const left = await leaver?.self()
    await leaver?.stop()
    await Promise.all(others.map((other) => other.restart()))
    const isWhole = (peers: Peer[]) => peers.length === others.length
    await Promise.all([target, ...others].map((daemon) => daemon.waitFor(isWhole, 10_000, 'state=alive')))
    const beats = () => tap.datagrams.filter(({ hex }) => hex.startsWith('45530101')).length
    await tap.waitFor(() => beats() >= 60, 20_000)
    // Excludes the record of the stopped peer, which would be a new peer for the restarted daemons.
    const isOfLeaver = (bytes: Uint8Array) => {
      const message = decode(bytes)
      return typeof message === 'object' && message.type === 'record' && message.id === left?.id
    }
    const real = tap.datagrams.map(({ hex }) => Buffer.from(hex, 'hex')).filter((bytes) => !isOfLeaver(bytes))
    await tap.close()

    const before = await target.self()
    const streams = await Promise.all([target, ...others].map((daemon) => daemon.events()))
    const random = new SeededRandom(3)
    const invalidDatagrams = function* (count: number): Iterable<SpoofedDatagram> {
      for (let i = 0; i < count; i++) {
        yield {
          ...route(random, environment),
          payload: i % 2 === 0 ? randomDatagram(random) : mutatedDatagram(random, real),
        }
      }
    }
    // V8's young generation grows first, to 32 MiB and more.
    for (let batch = 0; batch < 4; batch++) await sendSpoofed(intruder, invalidDatagrams(0.2 * COUNT), 10_000)
    const warm = target.process.rss()
    const monitor = new DaemonMonitor(target)
    for (let batch = 0; batch < 6; batch++) await sendSpoofed(intruder, invalidDatagrams(0.2 * COUNT), 10_000)
    await monitor[Symbol.asyncDispose]()
    const grown = (target.process.rss() - warm) / MIB
    const after = await target.self()
    const received = receivedCount(after) - receivedCount(before)
    console.info(
      `received ${received}, memory +${grown.toFixed(1)} MiB on ${(warm / MIB).toFixed(0)}, responses in ${monitor.slowest.toFixed(0)} ms`,
    )

    expect(received).toBeGreaterThan(COUNT)
    expect(grown).toBeLessThan(60)
    expect(percentile90(monitor.responseTimes)).toBeLessThan(1000)
    expect(after).toMatchObject({ pid: before.pid, startedAt: before.startedAt })
    expect(after.limits.peers.now).toBe(before.limits.peers.now)
    for (const daemon of [target, ...others]) expect(daemon.log.filter(isError)).toEqual([])
    for (const stream of streams) expect(peerEvents(stream).map(({ type, peer }) => `${type} ${peer.name}`)).toEqual([])
  })

  it('50,000 beats of unknown ids and 5,000 records of new peers do not affect existing peers', async () => {
    await using lab = await Lab.create()
    const environment = await scene(lab, 3)
    const { lan, target, others, intruder } = environment
    const random = new SeededRandom(4)
    const beats = Array.from({ length: COUNT / 2 }, () => {
      const [recordVersion, number, sent] = [1, 2, 3]
      const id = createId(random)
      const header = { path: 'broadcast', id, incarnation: 1_700_000_000, sequence: 10 } as const
      return encode({ type: 'beat', ...header, recordVersion, echo: 0, number, sent, reveal: random.bytes(16) })
    })
    const records = Array.from({ length: 5000 }, (_, index) => {
      const synthetic = new SyntheticPeer({
        name: `s${index}`,
        address: `10.77.9.${1 + (index % 20)}`,
        interval: index % 2 === 0 ? 1000 : 60_000,
      })
      const [payload = new Uint8Array()] = recordDatagrams(synthetic.record(1, { text: 'x'.repeat(500) }))
      return { src: `10.77.9.${1 + (index % 20)}`, dst: lan.broadcast, payload }
    })
    const before = await target.self()
    const known = others.map(({ name }) => name)
    const streams = await Promise.all([target, ...others].map((daemon) => daemon.events()))
    const rss = target.process.rss()

    const flood = beats.map((payload) => ({ ...route(random, environment), payload }))
    const monitor = new DaemonMonitor(target)
    await sendSpoofed(intruder, flood, 10_000)
    const afterBeats = await target.self()
    expect(afterBeats.limits.peers.now).toBe(before.limits.peers.now)
    await sendSpoofed(intruder, records, 450)
    await monitor[Symbol.asyncDispose]()
    const after = await target.self()
    const grown = (target.process.rss() - rss) / MIB
    const refused = after.counters.refused
    console.info(
      `${after.limits.peers.now} peers, memory +${grown.toFixed(1)} MiB on ${(rss / MIB).toFixed(0)}, responses in ` +
        `${monitor.slowest.toFixed(0)} ms, refused ${JSON.stringify(refused)}`,
    )
    expect((refused['unproven'] ?? 0) + (refused['off-link'] ?? 0)).toBeGreaterThan(COUNT / 4)
    expect(after.limits.peers.now).toBeGreaterThan(1000)
    expect(after.limits.peers.now).toBeLessThanOrEqual(5000 + known.length)
    expect(grown).toBeLessThan(120)
    expect(percentile90(monitor.responseTimes)).toBeLessThan(1000)

    // With so many peers the daemons send fewer beats. This must not make an existing peer suspect.
    for (const stream of streams) {
      const unexpected = peerEvents(stream).filter(({ peer }) => !peer.name.startsWith('s'))
      expect(
        unexpected.filter(({ type }) => type !== 'peer-update').map(({ type, peer }) => `${type} ${peer.name}`),
      ).toEqual([])
    }
    for (const name of known) expect(await target.get(`/v1/peers/${name}`)).toMatchObject({ state: 'alive' })
    expect(after).toMatchObject({ pid: before.pid, startedAt: before.startedAt })
    for (const daemon of [target, ...others]) expect(daemon.log.filter(isError)).toEqual([])
  })
})

function createId(random: SeededRandom): PeerId {
  const message = decode(Buffer.concat([Buffer.from('4553010500000000', 'hex'), random.bytes(16), Buffer.alloc(28)]))
  if (typeof message === 'string') throw new Error(message)
  return message.id
}

import { expect, it } from 'vitest'
import { decode, encode } from '../../src/core/wire/codec.ts'
import type { PeerId } from '../../src/core/wire/id.ts'
import type { Peer } from '../../src/shared/api.ts'
import { type Daemon, describeLab, type Host, Lab, type Network } from '../lab/index.ts'
import { Watch } from './crowd.ts'
import { acquainted, nineTenths, peerEvents, startAll } from './measure.ts'
import { Dice, mutatedDatagram, randomDatagram } from './mutation.ts'
import { type Forgery, spray } from './spray.ts'
import { recordDatagrams, Stranger } from './strangers.ts'

const COUNT = 100_000
const GROUP4 = '239.255.153.53'
const GROUP6 = 'ff12::153:53'
const MIB = 1024 * 1024

/** What is in the lab when the nonsense comes. */
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
  await acquainted([target, ...others])
  return { lan, target, host, others, intruder }
}

/** A way to the target, under one of many senders. */
function route(dice: Dice, { lan, host, intruder }: Scene): Omit<Forgery, 'payload'> {
  const address = () => `10.77.${dice.below(4)}.${1 + dice.below(250)}`
  const src = dice.one([intruder.address(), host.address(), address(), address(), '192.0.2.9'])
  const src6 = dice.one([intruder.linkLocal(), host.linkLocal(), `fe80::${dice.below(0xffff).toString(16)}`])
  return dice.one([
    { src, dst: lan.broadcast },
    { src, dst: GROUP4 },
    { src, dst: host.address(), dstMac: host.mac() },
    { src: src6, dst: GROUP6 },
    { src: src6, dst: host.linkLocal(), dstMac: host.mac() },
  ])
}

const isFault = ({ level }: Record<string, unknown>) =>
  typeof level === 'number' ? level >= 50 : level === 'error' || level === 'fatal'

interface SelfView {
  pid: number
  startedAt: string
  counters: { received: Record<string, number>; refused: Record<string, number> }
  limits: { peers: { now: number; most: number }; recordBytes: { now: number; most: number } }
}

function heardIn({ counters }: SelfView): number {
  return [...Object.values(counters.received), ...Object.values(counters.refused)].reduce((sum, each) => sum + each, 0)
}

describeLab('nonsense on the wire', () => {
  it('leaves a daemon as it was: 200,000 datagrams, random and mutated', async () => {
    await using lab = await Lab.create()
    const stage = await scene(lab, 4)
    const { lan, target, others, intruder } = stage
    await using tap = await lan.sniff()
    // All kinds of words: those of a start, of a life and of an end.
    const leaver = others.pop()
    const left = await leaver?.self()
    await leaver?.stop()
    await Promise.all(others.map((other) => other.restart()))
    const isWhole = (peers: Peer[]) => peers.length === others.length
    await Promise.all([target, ...others].map((daemon) => daemon.waitFor(isWhole, 10_000, 'state=alive')))
    const beats = () => tap.datagrams.filter(({ hex }) => hex.startsWith('45530101')).length
    await tap.waitFor(() => beats() >= 60, 20_000)
    // Without the record of the one who left: those who began anew would meet it for the first time.
    const isOfLeaver = (bytes: Uint8Array) => {
      const message = decode(bytes)
      return typeof message === 'object' && message.type === 'record' && message.id === left?.id
    }
    const real = tap.datagrams.map(({ hex }) => Buffer.from(hex, 'hex')).filter((bytes) => !isOfLeaver(bytes))
    await tap.close()

    const before = await target.get<SelfView>('/v1/self')
    const streams = await Promise.all([target, ...others].map((daemon) => daemon.events()))
    const dice = new Dice(3)
    const nonsense = function* (count: number): Iterable<Forgery> {
      for (let i = 0; i < count; i++) {
        yield { ...route(dice, stage), payload: i % 2 === 0 ? randomDatagram(dice) : mutatedDatagram(dice, real) }
      }
    }
    await spray(intruder, nonsense(0.2 * COUNT), 10_000)
    const warm = target.process.rss()
    const watch = new Watch(target)
    for (let batch = 0; batch < 9; batch++) await spray(intruder, nonsense(0.2 * COUNT), 10_000)
    await watch[Symbol.asyncDispose]()
    const grown = (target.process.rss() - warm) / MIB
    const after = await target.get<SelfView>('/v1/self')
    const heard = heardIn(after) - heardIn(before)
    console.info(
      `heard ${heard}, memory +${grown.toFixed(1)} MiB on ${(warm / MIB).toFixed(0)}, answers in ${watch.slowest.toFixed(0)} ms`,
    )

    expect(heard).toBeGreaterThan(COUNT)
    expect(grown).toBeLessThan(60)
    expect(nineTenths(watch.answers)).toBeLessThan(1000)
    expect(after).toMatchObject({ pid: before.pid, startedAt: before.startedAt })
    expect(after.limits.peers.now).toBe(before.limits.peers.now)
    for (const daemon of [target, ...others]) expect(daemon.log.filter(isFault)).toEqual([])
    for (const stream of streams) expect(peerEvents(stream).map(({ type, peer }) => `${type} ${peer.name}`)).toEqual([])
  }, 180_000)

  it('leaves a daemon the peers it has: 50,000 beats of nobody, 5,000 records of newly made peers', async () => {
    await using lab = await Lab.create()
    const stage = await scene(lab, 3)
    const { lan, target, others, intruder } = stage
    const dice = new Dice(4)
    const beats = Array.from({ length: COUNT / 2 }, () => {
      const [recordVersion, number, sent] = [1, 2, 3]
      const id = createId(dice)
      const header = { path: 'broadcast', id, incarnation: 1_700_000_000, sequence: 10 } as const
      return encode({ type: 'beat', ...header, recordVersion, echo: 0, number, sent, reveal: dice.bytes(16) })
    })
    const records = Array.from({ length: 5000 }, (_, index) => {
      const stranger = new Stranger({
        name: `s${index}`,
        address: `10.77.9.${1 + (index % 20)}`,
        interval: index % 2 === 0 ? 1000 : 60_000,
      })
      const [payload = new Uint8Array()] = recordDatagrams(stranger.record(1, { text: 'x'.repeat(500) }))
      return { src: `10.77.9.${1 + (index % 20)}`, dst: lan.broadcast, payload }
    })
    const before = await target.get<SelfView>('/v1/self')
    const known = others.map(({ name }) => name)
    const streams = await Promise.all([target, ...others].map((daemon) => daemon.events()))
    const rss = target.process.rss()

    const flood = beats.map((payload) => ({ ...route(dice, stage), payload }))
    const watch = new Watch(target)
    await spray(intruder, flood, 10_000)
    const afterBeats = await target.get<SelfView>('/v1/self')
    expect(afterBeats.limits.peers.now).toBe(before.limits.peers.now)
    await spray(intruder, records, 450)
    await watch[Symbol.asyncDispose]()
    const after = await target.get<SelfView>('/v1/self')
    const grown = (target.process.rss() - rss) / MIB
    const refused = after.counters.refused
    console.info(
      `${after.limits.peers.now} peers, memory +${grown.toFixed(1)} MiB on ${(rss / MIB).toFixed(0)}, answers in ` +
        `${watch.slowest.toFixed(0)} ms, refused ${JSON.stringify(refused)}`,
    )
    expect((refused['unproven'] ?? 0) + (refused['off-link'] ?? 0)).toBeGreaterThan(COUNT / 4)
    expect(after.limits.peers.now).toBeGreaterThan(1000)
    expect(after.limits.peers.now).toBeLessThanOrEqual(5000 + known.length)
    expect(grown).toBeLessThan(120)
    expect(nineTenths(watch.answers)).toBeLessThan(1000)

    // Beats are rarer now, as a segment of so many wants it: nobody whom the daemon knew is doubted for that.
    for (const stream of streams) {
      const told = peerEvents(stream).filter(({ peer }) => !peer.name.startsWith('s'))
      expect(told.filter(({ type }) => type !== 'peer-update').map(({ type, peer }) => `${type} ${peer.name}`)).toEqual(
        [],
      )
    }
    for (const name of known) expect(await target.get(`/v1/peers/${name}`)).toMatchObject({ state: 'alive' })
    expect(after).toMatchObject({ pid: before.pid, startedAt: before.startedAt })
    for (const daemon of [target, ...others]) expect(daemon.log.filter(isFault)).toEqual([])
  }, 180_000)
})

function createId(dice: Dice): PeerId {
  const message = decode(Buffer.concat([Buffer.from('4553010500000000', 'hex'), dice.bytes(16), Buffer.alloc(28)]))
  if (typeof message === 'string') throw new Error(message)
  return message.id
}

import { setTimeout as delay } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { decode, encode } from '../../src/core/wire/codec.ts'
import { type Beat, KEY_AND_SIGNATURE_BYTES, type Message, type RecordPart } from '../../src/core/wire/messages.ts'
import {
  type Daemon,
  describeLab,
  type EventStream,
  type Host,
  Lab,
  type Network,
  type SniffedDatagram,
  type Sniffer,
} from '../lab/index.ts'
import { FAILURE_TIMEOUT_MS, logEntries, peerEvents, peerEventTime, startAll, waitUntilAllAlive } from './daemons.ts'
import { type SpoofedDatagram, sendSpoofed } from './spoofed-datagrams.ts'
import { recordDatagrams, SyntheticPeer } from './synthetic-peer.ts'

const GROUP4 = '239.255.153.53'
const GROUP6 = 'ff12::153:53'
/** Datagrams per second. At a higher rate a watcher could lose datagrams, which it would not count. */
const PER_SECOND = 2000

interface Scene {
  lan: Network
  victim: Daemon
  victimHost: Host
  watchers: Daemon[]
  watcherHosts: Host[]
  intruder: Host
  tap: Sniffer
}

/** Starts two watchers and a victim that list each other, an intruder, and a sniffer that captures all datagrams. */
async function startScene(lab: Lab): Promise<Scene> {
  const lan = await lab.network('lan')
  const [victimHost, b, c, intruder] = await lab.hosts(['victim', 'b', 'c', 'intruder'], [lan])
  if (!victimHost || !b || !c || !intruder) throw new Error('too few hosts')
  const tap = await lan.sniff()
  const daemons = await startAll([victimHost, b, c])
  await waitUntilAllAlive(daemons)
  const [victim, ...watchers] = daemons
  if (!victim) throw new Error('no victim')
  const scene = { lan, victim, victimHost, watchers, watcherHosts: [b, c], intruder, tap }
  await tap.waitFor(() => sentByVictim(scene, 'beat').length >= 15, 15_000)
  return scene
}

/** The messages of a type that the victim has sent, oldest first. Forged messages have another MAC address. */
function sentByVictim<T extends Message['type']>({ tap, victimHost }: Scene, type: T): Extract<Message, { type: T }>[] {
  return tap.datagrams
    .filter(({ srcMac }) => srcMac === victimHost.mac())
    .map(({ hex }) => decode(Buffer.from(hex, 'hex')))
    .filter((message): message is Extract<Message, { type: T }> => typeof message === 'object' && message.type === type)
}

function last<T>(items: readonly T[]): T {
  const item = items.at(-1)
  if (item === undefined) throw new Error('nothing was sent')
  return item
}

/** A copy of the bytes with one changed bit. */
function flipped(bytes: Uint8Array, at: number): Uint8Array {
  const copy = Uint8Array.from(bytes)
  copy[at] = (copy[at] ?? 0) ^ 1
  return copy
}

/** The intruder's paths, with its own and the victim's source address, to all hosts or to one watcher. */
function routes({ lan, intruder, victimHost, watcherHosts }: Scene): Omit<SpoofedDatagram, 'payload'>[] {
  const v4 = [intruder, victimHost].map((host) => host.address())
  const v6 = [intruder, victimHost].map((host) => host.linkLocal())
  return [
    ...v4.flatMap((src) => [lan.broadcast, GROUP4].map((dst) => ({ src, dst }))),
    ...v4.flatMap((src) => watcherHosts.map((to) => ({ src, dst: to.address(), dstMac: to.mac() }))),
    ...v6.map((src) => ({ src, dst: GROUP6 })),
  ]
}
/** Number of these paths that reach a watcher. */
const REACHING_A_WATCHER = 2 * 2 + 2 + 2
/** Number of these paths that reach the victim. Its kernel drops datagrams with its own IPv4 source address. */
const REACHING_THE_VICTIM = 2 + 1

type PeerSnapshot = Record<string, unknown> & { lastSeen: string }

/** A daemon's view of the victim, without the values that change with every beat. */
async function peerSnapshot(daemon: Daemon, id: string): Promise<PeerSnapshot> {
  const peer = await daemon.get<PeerSnapshot & { paths: { interface: string; path: string }[] }>(`/v1/peers/${id}`)
  const { beacons: _beacons, jitterMs: _jitter, rttMs: _rtt, paths, ...rest } = peer
  return { ...rest, paths: paths.map(({ interface: name, path }) => `${name} ${path}`).sort() }
}

function withoutLastSeen({ lastSeen: _lastSeen, ...rest }: PeerSnapshot): Record<string, unknown> {
  return rest
}

async function refusedCount(daemon: Daemon, ...reasons: string[]): Promise<number> {
  const { counters } = await daemon.self()
  return reasons.reduce((sum, reason) => sum + (counters.refused[reason] ?? 0), 0)
}

/** Waits up to 3 s until `more` datagrams were refused for one of the reasons. Returns the number. */
async function refusedSince(daemon: Daemon, before: number, more: number, reasons: string[]): Promise<number> {
  const deadline = performance.now() + 3000
  for (;;) {
    const now = (await refusedCount(daemon, ...reasons)) - before
    if (now >= more || performance.now() > deadline) return now
    await delay(20)
  }
}

/** Sends the messages on every path. Expects that each is counted for one of the reasons and changes nothing. */
async function expectRefusal(scene: Scene, messages: Message[], reasons: string[], atVictim = 'own-id'): Promise<void> {
  const { victim, watchers, intruder } = scene
  const { id } = last(sentByVictim(scene, 'beat'))
  const snapshots = await Promise.all(watchers.map((watcher) => peerSnapshot(watcher, id)))
  const counts = await Promise.all(watchers.map((watcher) => refusedCount(watcher, ...reasons)))
  const own = await refusedCount(victim, atVictim)

  const payloads = messages.map(encode)
  const forgeries = routes(scene).flatMap((route) => payloads.map((payload) => ({ ...route, payload })))
  await sendSpoofed(intruder, forgeries, PER_SECOND)

  const what = `${messages.map(({ type }) => type)} refused as ${reasons}`
  for (const [index, watcher] of watchers.entries()) {
    const expected = REACHING_A_WATCHER * messages.length
    const risen = await refusedSince(watcher, counts[index] ?? 0, expected, reasons)
    // Every beat causes duplicates on other paths. All other reasons are caused by the intruder only.
    if (reasons.includes('duplicate')) expect(risen, what).toBeGreaterThanOrEqual(expected)
    else expect(risen, what).toBe(expected)
    expect(withoutLastSeen(await peerSnapshot(watcher, id)), what).toEqual(
      withoutLastSeen(snapshots[index] as PeerSnapshot),
    )
  }
  const expected = REACHING_THE_VICTIM * messages.length
  expect(await refusedSince(victim, own, expected, [atVictim]), what).toBeGreaterThanOrEqual(expected)
}

function expectNoEventAbout(id: string, streams: EventStream[]): void {
  for (const stream of streams) {
    const about = peerEvents(stream).filter(({ peer }) => peer.id === id)
    expect(about.map(({ type }) => type)).toEqual([])
  }
}

describeLab('a host that forges messages of a peer', () => {
  it('changes no state in any daemon, and is counted by reason', async () => {
    await using lab = await Lab.create()
    const scene = await startScene(lab)
    const { victim, watchers } = scene
    const { id, name } = await victim.self()
    const streams = await Promise.all([victim, ...watchers].map((daemon) => daemon.events()))
    const beat = () => last(sentByVictim(scene, 'beat'))
    const record = last(sentByVictim(scene, 'record'))
    const raised = { ...record, recordVersion: record.recordVersion + 1 }
    const synthetic = new SyntheticPeer({
      name,
      address: scene.victimHost.address(),
      incarnation: beat().incarnation + 1,
    })
    const reveal = Buffer.alloc(16, 7)

    // Forged beats: ahead, with the last reveal, and too far ahead.
    await expectRefusal(scene, [{ ...beat(), sequence: beat().sequence + 5, reveal }], ['bad-reveal'])
    await expectRefusal(scene, [{ ...beat(), sequence: beat().sequence + 5 }], ['bad-reveal'])
    await expectRefusal(scene, [{ ...beat(), sequence: beat().sequence + 100_000 }], ['too-far-ahead'])
    await expectRefusal(scene, [{ ...beat(), sequence: 0xffff_ffff }], ['too-far-ahead'])
    // Replayed beats.
    await expectRefusal(scene, sentByVictim(scene, 'beat').slice(0, 6), ['replayed'])
    await expectRefusal(scene, [{ ...beat(), incarnation: beat().incarnation - 1 }], ['replayed'])
    // Forged goodbyes.
    const { incarnation, sequence } = beat()
    const bye: Message = { type: 'bye', path: 'broadcast', id: beat().id, incarnation, sequence, secret: reveal }
    await expectRefusal(scene, [bye], ['bad-goodbye'])
    await expectRefusal(scene, [{ ...bye, incarnation: incarnation - 1 }], ['replayed'])
    await expectRefusal(scene, [{ ...bye, incarnation: incarnation + 1 }], ['unproven'])
    // Forged records: a higher version, and a changed bit in key, signature and JSON.
    await expectRefusal(scene, [raised], ['bad-signature'])
    for (const at of [0, 31]) await expectRefusal(scene, [withBytes(raised, at)], ['bad-identity'])
    for (const at of [32, 95, KEY_AND_SIGNATURE_BYTES, KEY_AND_SIGNATURE_BYTES + 100]) {
      await expectRefusal(scene, [withBytes(raised, at)], ['bad-signature'])
    }
    await expectRefusal(scene, [withBytes(record, KEY_AND_SIGNATURE_BYTES)], ['bad-signature', 'duplicate'])
    await expectRefusal(scene, [record], ['duplicate', 'replayed'])
    // A higher incarnation, signed by another key.
    await expectRefusal(scene, [{ ...beat(), incarnation: incarnation + 1, sequence: 1 }], ['unproven'])
    const [datagram = new Uint8Array()] = recordDatagrams(synthetic.record(), beat().id)
    const message = decode(datagram)
    if (typeof message === 'string') throw new Error(message)
    await expectRefusal(scene, [message], ['bad-identity'])

    expectNoEventAbout(id, streams)
    expect(await victim.self()).toMatchObject({ id, incarnation })
    for (const watcher of watchers) expect(await watcher.get(`/v1/peers/${id}`)).toMatchObject({ state: 'alive' })
    expect((await watchers[0]?.peers('state=all'))?.length).toBe(2)
  })

  it('cannot extend the lease of a peer with a replay of its newest beat, or redirect its probes', async () => {
    await using lab = await Lab.create()
    const scene = await startScene(lab)
    const { victim, victimHost, watchers, watcherHosts, intruder, tap } = scene
    const { id, name } = await victim.self()
    const streams = await Promise.all(watchers.map((watcher) => watcher.events()))
    await victim.freeze()
    const payload = encode(last(sentByVictim(scene, 'beat')))
    const before = await Promise.all(watchers.map((watcher) => peerSnapshot(watcher, id)))
    const counts = await Promise.all(watchers.map((watcher) => refusedCount(watcher, 'duplicate', 'replayed')))
    // The intruder's own address is last on every path.
    const byAddress = routes(scene).toSorted((a) => (isOf(intruder, a.src) ? 1 : -1))
    await sendSpoofed(
      intruder,
      byAddress.map((route) => ({ ...route, payload })),
      PER_SECOND,
    )
    for (const [index, watcher] of watchers.entries()) {
      const risen = await refusedSince(watcher, counts[index] ?? 0, REACHING_A_WATCHER, ['duplicate', 'replayed'])
      expect(risen).toBeGreaterThanOrEqual(REACHING_A_WATCHER)
      expect(await peerSnapshot(watcher, id)).toEqual(before[index])
    }

    await Promise.all(streams.map((stream) => peerEventTime(stream, 'peer-suspect', name, FAILURE_TIMEOUT_MS)))
    const isProbe = ({ hex, srcMac }: SniffedDatagram) => {
      const message = decode(Buffer.from(hex, 'hex'))
      return (
        typeof message === 'object' && message.type === 'probe' && watcherHosts.some((host) => host.mac() === srcMac)
      )
    }
    await tap.waitFor(isProbe)
    victim.thaw()
    await Promise.all(streams.map((stream) => peerEventTime(stream, 'peer-up', name)))
    const probed = new Set(tap.datagrams.filter(isProbe).map(({ dst }) => dst))
    expect([...probed].sort()).toEqual([victimHost.address(), victimHost.linkLocal()])
  })

  it('is ignored from outside the subnet, even with a valid record', async () => {
    await using lab = await Lab.create()
    const scene = await startScene(lab)
    const { lan, intruder, victim, watchers } = scene
    const synthetic = new SyntheticPeer({ name: 'stranger', address: '192.0.2.66' })
    const [payload = new Uint8Array()] = recordDatagrams(synthetic.record())
    const before = await Promise.all([victim, ...watchers].map((daemon) => refusedCount(daemon, 'off-link')))
    const off = [
      { src: '192.0.2.66', dst: lan.broadcast, payload },
      { src: '192.0.2.66', dst: GROUP4, payload },
      { src: '2001:db8::66', dst: GROUP6, payload },
    ]
    await sendSpoofed(intruder, off, PER_SECOND)
    for (const [index, daemon] of [victim, ...watchers].entries()) {
      expect(await refusedSince(daemon, before[index] ?? 0, off.length, ['off-link'])).toBe(off.length)
      expect((await daemon.peers('state=all')).length).toBe(2)
    }
    // The same record from the subnet is accepted, so only its source address was the reason.
    await sendSpoofed(intruder, [{ src: intruder.address(), dst: lan.broadcast, payload }], PER_SECOND)
    for (const daemon of [victim, ...watchers]) await daemon.waitFor((peers) => peers.length === 3)
  })

  it('cannot make a daemon change its identity', async () => {
    await using lab = await Lab.create()
    const scene = await startScene(lab)
    const { lan, intruder, victim } = scene
    const { id, incarnation, name } = await victim.self()
    const later = Number(incarnation) + 1000
    const synthetic = new SyntheticPeer({ name, address: intruder.address(), incarnation: later })
    const [datagram = new Uint8Array()] = recordDatagrams(synthetic.record(), last(sentByVictim(scene, 'beat')).id)
    const own = last(sentByVictim(scene, 'record'))
    const datagrams = [
      datagram,
      encode(own),
      encode({ ...own, incarnation: later }),
      encode({ ...own, recordVersion: 99 }),
    ]
    const before = await refusedCount(victim, 'own-id')
    const sources = [intruder.address(), ...scene.watcherHosts.map((host) => host.address())]
    const forgeries = sources.flatMap((src) => datagrams.map((payload) => ({ src, dst: lan.broadcast, payload })))
    await sendSpoofed(intruder, forgeries, PER_SECOND)
    expect(await refusedSince(victim, before, forgeries.length, ['own-id'])).toBe(forgeries.length)
    expect(await victim.self()).toMatchObject({ id, incarnation })
    expect(victim.log.filter(({ level }) => level === 50 || level === 'error')).toEqual([])
  })

  it('cannot keep a killed peer alive with a replay of all its datagrams', async () => {
    await using lab = await Lab.create()
    const scene = await startScene(lab)
    const { victim, victimHost, watchers, intruder, tap } = scene
    const { id, name } = await victim.self()
    const streams = await Promise.all(watchers.map((watcher) => watcher.events()))
    await victim.kill()
    const killedAt = Date.now()
    const datagrams = tap.datagrams.filter(({ srcMac }) => srcMac === victimHost.mac())
    const perRound = datagrams.map(({ hex, src, dst, dstMac }) => ({
      src,
      dst,
      dstMac,
      payload: Buffer.from(hex, 'hex'),
    }))
    const asIntruder = perRound.map((datagram) => ({
      ...datagram,
      src: datagram.dst.includes(':') ? datagram.src : intruder.address(),
    }))
    const round = [...perRound, ...asIntruder]
    const rounds = Array.from({ length: 120 }, () => round).flat()
    const replay = sendSpoofed(intruder, rounds, round.length * 10)

    const failedAt = await Promise.all(
      streams.map((stream) => peerEventTime(stream, 'peer-failed', name, FAILURE_TIMEOUT_MS)),
    )
    console.info(`failed after ${failedAt.map((at) => at - killedAt).join(', ')} ms, ${round.length} datagrams at 10/s`)
    for (const [index, at] of failedAt.entries()) {
      const delays = watchers.flatMap((watcher, of) =>
        of === index ? logEntries(watcher, 'every peer gets another lease') : [],
      )
      // A daemon without CPU time for half a second gives all peers another lease.
      expect(at - killedAt, JSON.stringify(delays)).toBeLessThan(delays.length > 0 ? FAILURE_TIMEOUT_MS : 6000)
    }
    await replay
    expect(Date.now() - killedAt).toBeGreaterThan(FAILURE_TIMEOUT_MS)
    for (const [index, watcher] of watchers.entries()) {
      expect(await watcher.get(`/v1/peers/${id}`)).toMatchObject({ state: 'failed' })
      const stream = streams[index]
      const about = stream ? peerEvents(stream).filter(({ peer }) => peer.name === name) : []
      expect(about.map(({ type }) => type)).toEqual(['peer-suspect', 'peer-failed'])
    }
  })
})

function isOf(host: Host, address: string): boolean {
  return [host.address(), host.linkLocal()].includes(address)
}

function withBytes<T extends Beat | RecordPart>(message: T, at: number): T {
  return message.type === 'record' ? { ...message, bytes: flipped(message.bytes, at) } : message
}

import { copyFile, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { type Daemon, describeLab, type Host, type HostOptions, Lab, type Network } from '../lab/index.ts'
import { logEntries, openAllEvents, peerEventTime, peersWithEvent, start, startAll } from './daemons.ts'

const MACHINE = { machineId: '0123456789abcdef0123456789abcdef' }
const IDENTITY_CONFLICT = 'another host uses the identity of this daemon'

/** A host with a copy of the original's identity file. */
async function cloneOf(original: Host, lab: Lab, net: Network, options: HostOptions): Promise<Host> {
  const clone = await lab.host('clone', [net], options)
  const state = join(clone.dir, 'clone', 'state')
  await mkdir(state, { recursive: true, mode: 0o700 })
  await copyFile(join(original.dir, original.name, 'state', 'identity.json'), join(state, 'identity.json'))
  return clone
}

const idOf = async (daemon: Daemon): Promise<string> => (await daemon.self()).id

/** Waits until exactly two peers are alive for the daemon: the clone and the original. */
async function waitForBoth(daemon: Daemon, timeoutMs = 8000): Promise<void> {
  await daemon.waitFor((peers) => {
    const alive = peers.filter(({ state }) => state === 'alive').map(({ name }) => name)
    return alive.sort().join() === 'clone,original'
  }, timeoutMs)
}

/** Waits until exactly two peers are alive for the daemon: the named one and the witness. */
async function waitForPeerAndWitness(daemon: Daemon, name: string): Promise<void> {
  await daemon.waitFor((peers) => {
    const alive = peers.filter(({ state }) => state === 'alive').map((peer) => peer.name)
    return alive.sort().join() === [name, 'witness'].join()
  }, 8000)
}

describeLab('clones', () => {
  it('of a running machine: one of the two takes a new identity', async () => {
    await using lab = await Lab.create()
    const net = await lab.network('lan')
    const [original, witness] = await Promise.all([lab.host('original', [net], MACHINE), lab.host('witness', [net])])
    const [first, watching] = await Promise.all([start(original), start(witness)])
    const id = await idOf(first)
    const stream = await openAllEvents(watching)
    await peerEventTime(stream, 'peer-up', 'original')
    const clone = await cloneOf(original, lab, net, MACHINE)
    const second = await start(clone)
    await waitForBoth(watching)

    const ids = await Promise.all([first, second].map(idOf))
    expect(ids).toContain(id)
    expect(new Set(ids).size).toBe(2)
    for (const daemon of [first, second]) await daemon.waitFor((peers) => peers.length === 2)
    const conflicts = [first, second].map((daemon) => logEntries(daemon, IDENTITY_CONFLICT).length)
    expect(conflicts.toSorted()).toEqual([0, 1])
    expect([first, second].flatMap((daemon) => logEntries(daemon, 'took a new identity'))).toHaveLength(1)
    await sleep(6000)
    expect(await Promise.all([first, second].map(idOf))).toEqual(ids)
    expect([first, second].map((daemon) => logEntries(daemon, IDENTITY_CONFLICT).length)).toEqual(conflicts)
    expect(peersWithEvent(stream, 'peer-failed')).toEqual([])
    await waitForBoth(watching)

    // The new identity is stored.
    await Promise.all([first.restart(), second.restart()])
    await waitForBoth(watching)
    expect(await Promise.all([first, second].map(idOf))).toEqual(ids)
    for (const daemon of [first, second]) expect(logEntries(daemon, IDENTITY_CONFLICT)).toEqual([])
  })

  it('that start at the same moment become two peers', async () => {
    await using lab = await Lab.create()
    const net = await lab.network('lan')
    const [original, witness] = await Promise.all([lab.host('original', [net], MACHINE), lab.host('witness', [net])])
    const [first, watching] = await Promise.all([start(original), start(witness)])
    await first.stop()
    const clone = await cloneOf(original, lab, net, MACHINE)
    const [again, second] = await startAll([original, clone])
    if (!again || !second) throw new Error('no daemons')
    // Both started in the same second, so both take a new identity. The peer with the old identity must fail first.
    await waitForBoth(watching, 25_000)
    await sleep(6000)
    await waitForBoth(watching)
    expect(await idOf(again)).not.toBe(await idOf(second))
  })

  it('that meet long after their start become two peers, too', async () => {
    await using lab = await Lab.create()
    const net = await lab.network('lan')
    const [original, witness] = await Promise.all([lab.host('original', [net], MACHINE), lab.host('witness', [net])])
    const [first, watching] = await Promise.all([start(original), start(witness)])
    const clone = await cloneOf(original, lab, net, MACHINE)
    await clone.cut()
    const second = await start(clone)
    // Waits until the start announcements have ended.
    await sleep(3000)
    expect(await idOf(first)).toBe(await idOf(second))

    await clone.restore()
    await waitForBoth(watching)
    expect(await idOf(first)).not.toBe(await idOf(second))
    await Promise.all([waitForPeerAndWitness(first, 'clone'), waitForPeerAndWitness(second, 'original')])
  })

  it('on another machine take their own identity at the start', async () => {
    await using lab = await Lab.create()
    const net = await lab.network('lan')
    const original = await lab.host('original', [net], MACHINE)
    const first = await start(original)
    const second = await start(await cloneOf(original, lab, net, {}))
    await second.waitFor((peers) => peers.some(({ name, state }) => name === 'original' && state === 'alive'))
    expect(await idOf(second)).not.toBe(await idOf(first))
    for (const daemon of [first, second]) expect(logEntries(daemon, IDENTITY_CONFLICT)).toEqual([])
  })
})

describeLab('two peers with the same name', () => {
  it('are both listed, and the log reports them once', async () => {
    await using lab = await Lab.create()
    const net = await lab.network('lan')
    const [a, b, witness] = await Promise.all(['a', 'b', 'witness'].map((name) => lab.host(name, [net])))
    if (!a || !b || !witness) throw new Error('no hosts')
    const watching = await start(witness)
    const [, other] = await Promise.all([start(a, { name: 'kitchen' }), start(b, { name: 'kitchen' })])
    const both = await watching.waitFor(
      (peers) => peers.filter(({ name, state }) => name === 'kitchen' && state === 'alive').length === 2,
    )
    expect(new Set(both.map(({ id }) => id)).size).toBe(2)
    expect(await witness.cli('ls')).toMatchObject({ code: 0, stdout: expect.stringMatching(/kitchen[\s\S]*kitchen/) })
    expect((await watching.call('GET', '/v1/peers/kitchen')).status).toBe(409)
    await other.restart()
    await watching.waitFor((peers) => peers.length === 2 && peers.every(({ state }) => state === 'alive'))
    expect(logEntries(watching, 'same name')).toMatchObject([{ name: 'kitchen' }])
  })
})

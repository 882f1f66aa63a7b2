import { describe, expect, it } from 'vitest'
import { recordDatagrams, SyntheticPeer } from '../../acceptance/synthetic-peer.ts'
import { SimNetwork } from '../sim/network.ts'

const INTERVAL = 1000

describe('liveness', () => {
  it('lets five hosts that start together find each other within 100 ms', () => {
    const network = new SimNetwork()
    const hosts = Array.from({ length: 5 }, () => network.host())
    network.run(100)
    for (const host of hosts) expect(Object.values(host.states())).toEqual(['alive', 'alive', 'alive', 'alive'])
  })

  it('lets a later host be known to all within 1 ms and know all within 50 ms', () => {
    const network = new SimNetwork()
    const hosts = Array.from({ length: 5 }, () => network.host())
    network.run(10_000)
    const late = network.host()
    network.run(1)
    for (const host of hosts) expect(host.state(late.name)).toBe('alive')
    network.run(49)
    expect(Object.keys(late.states())).toHaveLength(5)
  })

  it('suspects a silent peer after its lease, and declares it failed when it answers no probe', () => {
    const network = new SimNetwork()
    const [watcher, other, dying] = [network.host(), network.host(), network.host()]
    network.run(10_000)
    network.kill(dying)
    network.run(2 * INTERVAL)
    expect(watcher.state(dying.name)).toBe('alive')
    network.run(1.6 * INTERVAL)
    expect(watcher.state(dying.name)).toBe('suspect')
    network.run(1.3 * INTERVAL)
    expect(watcher.state(dying.name)).toBe('failed')
    expect(watcher.state(other.name)).toBe('alive')
  })

  it('lists a peer that says goodbye as left until its next incarnation', () => {
    const network = new SimNetwork()
    const [watcher, leaving] = [network.host(), network.host()]
    network.run(3000)
    leaving.presence.leave(network.now)
    network.flush(leaving)
    network.run(30)
    expect(watcher.state(leaving.name)).toBe('left')
    network.run(10_000)
    expect(watcher.state(leaving.name)).toBe('left')
  })

  it('declares no peer failed after this machine has slept for long', () => {
    const network = new SimNetwork()
    const hosts = Array.from({ length: 4 }, () => network.host())
    const [sleeper] = hosts
    if (!sleeper) throw new Error('no host')
    network.run(10_000)
    const before = sleeper.presence.index
    sleeper.frozen = true
    network.run(60_000)
    network.thaw(sleeper)
    network.run(20_000)
    const changes = sleeper.presence.changesSince(before) ?? []
    expect(changes.filter(({ type }) => type === 'peer-failed')).toEqual([])
    expect(Object.values(sleeper.states())).toEqual(['alive', 'alive', 'alive'])
    expect(hosts[1]?.state(sleeper.name)).toBe('alive')
  })

  it('reports a failure even if an invented peer falls silent again and again', () => {
    for (const acquaintance of [5000, 120_000]) {
      const network = new SimNetwork()
      const [watcher, dying, made] = [network.host(), network.host(), network.host({ interval: 100 })]
      network.run(acquaintance)
      network.kill(dying)
      const died = network.now
      let last = 0
      network.filter = ({ from, bytes }) => {
        if (from !== made || bytes[3] !== 1) return true
        if (network.now - last > 1 && network.now - last < 450) return false
        last = network.now
        return true
      }
      network.run(60_000)
      const failed = watcher.presence
        .changesSince(0)
        ?.find(({ type, peer }) => type === 'peer-failed' && peer.name === dying.name)
      // If the invented peer is long-known, one doubt a minute extends the lease.
      expect((failed?.at ?? Number.POSITIVE_INFINITY) - died).toBeLessThan(acquaintance > 60_000 ? 9000 : 5000)
      expect(watcher.presence.takeNotices().filter(({ type }) => type === 'doubt').length).toBeLessThanOrEqual(1)
      expect(watcher.state(dying.name)).toBe('failed')
    }
  })

  it('extends the leases once if all long-known peers fall silent together', () => {
    const network = new SimNetwork()
    const [watcher] = Array.from({ length: 4 }, () => network.host())
    network.run(100_000)
    network.filter = ({ from, to }) => from === to
    const silentSince = network.now
    network.run(60_000)
    expect(watcher?.presence.takeNotices().filter(({ type }) => type === 'doubt')).toHaveLength(1)
    const failed = watcher?.presence.changesSince(0)?.filter(({ type }) => type === 'peer-failed') ?? []
    expect(failed).toHaveLength(3)
    for (const { at } of failed) expect(at - silentSince).toBeLessThan(9500)
  })

  it('extends the lease of a silent peer at most twice, however often the event loop is late', () => {
    const network = new SimNetwork()
    const [watcher, dying] = [network.host(), network.host()]
    network.run(5000)
    network.kill(dying)
    for (let i = 0; i < 12; i++) {
      watcher.frozen = true
      network.run(600)
      network.thaw(watcher)
      network.run(600)
    }
    expect(watcher.state(dying.name)).toBe('failed')
  })

  it('shortens the lease of a peer when a newer record has a shorter interval', () => {
    const network = new SimNetwork('shorter')
    const watcher = network.host()
    const peer = new SyntheticPeer({ name: 'peer', address: '10.0.0.9', interval: 600_000 })
    const say = (datagrams: Uint8Array[]) => {
      for (const datagram of datagrams) network.inject(watcher, datagram, '10.0.0.9')
    }
    say([...recordDatagrams(peer.record()), peer.beat(1)])
    network.run(60_000)
    say([...recordDatagrams(peer.record(2, {}, 1000)), peer.beat(2)])
    network.run(3000)
    expect(watcher.state('peer')).toBe('alive')
    network.run(2000)
    expect(watcher.state('peer')).toBe('failed')
  })

  it.each([
    ['longer one extends', 1000, 3000, 2000],
    ['shorter one does not extend', 2000, 6500, 1000],
  ])('a new interval: a %s the lease, counted from the last beat', (_what, before, silence, after) => {
    const network = new SimNetwork('interval')
    const watcher = network.host()
    const peer = new SyntheticPeer({ name: 'peer', address: '10.0.0.9', interval: before })
    const say = (datagrams: Uint8Array[]) => {
      for (const datagram of datagrams) network.inject(watcher, datagram, '10.0.0.9')
    }
    say([...recordDatagrams(peer.record()), peer.beat(1)])
    network.run(silence)
    say(recordDatagrams(peer.record(2, {}, after)))
    network.run(6900 - silence)
    expect(watcher.state('peer')).toBe('alive')
    network.run(500)
    expect(watcher.state('peer')).toBe('suspect')
  })

  it('declares none of 20 hosts failed in ten minutes of 30 % loss', () => {
    const network = new SimNetwork('loss')
    const hosts = Array.from({ length: 20 }, () => network.host())
    network.loss = 0.3
    network.run(600_000)
    for (const host of hosts) {
      expect(host.presence.changesSince(0)?.filter(({ type }) => type === 'peer-failed')).toEqual([])
      expect(Object.keys(host.states())).toHaveLength(19)
    }
  })
})

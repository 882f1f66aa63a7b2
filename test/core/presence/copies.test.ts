import { expect, test } from 'vitest'
import type { Path } from '../../../src/core/link.ts'
import { encode, withPath } from '../../../src/core/wire/codec.ts'
import { recordDatagrams, SyntheticPeer } from '../../acceptance/synthetic-peer.ts'
import { SimNetwork } from '../sim/network.ts'

const ADDRESS = '10.0.0.9'
const FLAGS_OFFSET = 5

const peer = new SyntheticPeer({ name: 'peer', address: ADDRESS })
const restarted = Object.assign(new SyntheticPeer({ name: 'peer', address: ADDRESS, incarnation: 2 }), {
  identity: peer.identity,
})
const BYE = encode({
  ...{ type: 'bye', path: 'broadcast', id: peer.identity.id, incarnation: 1, sequence: 1 },
  secret: Buffer.alloc(16, 2),
})

/** What happens between a beat and the copy of it that is received last. */
interface Scene {
  run(ms: number): void
  say(...datagrams: Uint8Array[]): void
  copy(path: Path, address?: string): void
}

/** What a watcher knows and has counted in the end. `flags` are those of the copies: nothing proves them. */
function outcome(act: (scene: Scene) => void, flags: number): unknown {
  const network = new SimNetwork('copies')
  const watcher = network.host()
  const scene: Scene = {
    run: (ms) => network.run(ms),
    say: (...datagrams) => {
      for (const datagram of datagrams) network.inject(watcher, datagram, ADDRESS)
    },
    copy: (path, address = ADDRESS) => {
      const bytes = withPath(peer.beat(1), path)
      bytes[FLAGS_OFFSET] = flags
      network.inject(watcher, bytes, address, path)
    },
  }
  scene.say(...recordDatagrams(peer.record()), peer.beat(1))
  act(scene)
  const { received, refused } = watcher.presence.self().counters
  return { received, refused, peer: watcher.presence.get(peer.identity.id) }
}

test.each<[when: string, reason: 'duplicate' | 'replayed', act: (scene: Scene) => void]>([
  ['from another path', 'duplicate', ({ copy }) => copy('multicast4')],
  ['from another address', 'duplicate', ({ copy }) => copy('multicast6', 'fe80::9')],
  ['by unicast', 'replayed', ({ copy }) => copy('unicast')],
  [
    'later than an interval',
    'replayed',
    ({ run, copy }) => {
      run(1001)
      copy('multicast4')
    },
  ],
  [
    'after the next beat',
    'replayed',
    ({ say, copy }) => {
      say(peer.beat(2))
      copy('multicast4')
    },
  ],
  [
    'after a goodbye',
    'replayed',
    ({ say, copy }) => {
      say(BYE)
      copy('multicast4')
    },
  ],
  [
    'after a restart',
    'replayed',
    ({ say, copy }) => {
      say(...recordDatagrams(restarted.record()))
      copy('multicast4')
    },
  ],
])('an exact copy of the newest beat %s has the same effect as one that must be decoded', (_when, reason, act) => {
  const exact = outcome(act, 0)
  expect(exact).toEqual(outcome(act, 1))
  expect(exact).toMatchObject({ received: { beat: expect.any(Number) }, refused: { [reason]: 1 } })
})

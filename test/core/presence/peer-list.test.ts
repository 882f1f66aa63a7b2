import { describe, expect, it } from 'vitest'
import { Agenda } from '../../../src/core/agenda.ts'
import type { DatagramSource } from '../../../src/core/link.ts'
import { PeerList } from '../../../src/core/presence/peer-list.ts'
import { MAX_RECORDS_BYTES } from '../../../src/core/presence/peers/registry.ts'
import { Self } from '../../../src/core/presence/peers/self.ts'
import type { Sighting } from '../../../src/core/presence/peers/types.ts'
import { encodeDigest } from '../../../src/core/wire/hash-chain.ts'
import type { PeerId } from '../../../src/core/wire/id.ts'
import { KEY_AND_SIGNATURE_BYTES } from '../../../src/core/wire/messages.ts'
import { seededIdentity, seededRandom } from '../sim/network.ts'
import { OFFICE } from './mdns/scene.ts'

describe('the list of peers', () => {
  it('contains an mDNS host again when it is heard after the registry has evicted its peer, even a flapping one', () => {
    const agenda = new Agenda()
    const profile = { name: 'watcher', hostname: '', version: '', services: [], attributes: {} }
    const self = new Self(seededIdentity('watcher'), 1, profile, 1000, seededRandom('watcher'))
    const { registry, mdnsHosts } = new PeerList(self, agenda, () => {})
    const where: DatagramSource = {
      interface: 'eth0',
      path: 'broadcast',
      address: '',
      port: 1,
      onLink: true,
      own: false,
    }
    const joined = new Uint8Array(KEY_AND_SIGNATURE_BYTES + MAX_RECORDS_BYTES / 2)
    const learn = (id: PeerId, now: number) => {
      const anchor = { sequence: 0, value: encodeDigest(new Uint8Array(16)) }
      const record = { ...profile, name: id, addresses: [], interval: 1000, anchor, goodbye: anchor.value }
      return registry.learn({ id, incarnation: 1, recordVersion: 1, joined }, record, where, now)
    }
    const flapper = learn(idText('f'), 0)
    learn(idText('o'), 0)
    for (let flap = 0; flap < 8; flap++) {
      for (const state of ['suspect', 'failed', 'alive'] as const)
        if (flapper) registry.enter(flapper, state, 100 * flap)
    }
    if (flapper) registry.enter(flapper, 'failed', 900)
    const sighting: Sighting = {
      id: 'printer.local',
      hostname: 'printer.local',
      name: 'printer',
      state: 'alive',
      addresses: [{ address: '10.9.9.9', family: 'ipv4', interface: 'eth0' }],
      services: [OFFICE],
      version: '',
      claim: idText('f'),
      lastSeen: 1000,
      heardOn: [],
    }
    mdnsHosts.sight(sighting, 1000)
    agenda.run(5000)
    expect(mdnsHosts.views()).toEqual([])
    learn(idText('n'), 5000)
    expect(registry.get(idText('f'))).toBeUndefined()
    agenda.run(8000)
    expect(mdnsHosts.takeHostsToQuery()).toEqual(['printer.local'])
    mdnsHosts.sight({ ...sighting, lastSeen: 8100 }, 8100)
    expect(mdnsHosts.views()).toMatchObject([{ id: 'printer.local', state: 'alive' }])
  })
})

/** An id that repeats one letter. */
function idText(letter: string): PeerId {
  return `${letter.repeat(25)}a` as PeerId
}

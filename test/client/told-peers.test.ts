import { describe, expect, test } from 'vitest'
import type { DaemonEvent, Event, Peer, WatchFilter } from '../../src/client/index.ts'
import { ToldPeers } from '../../src/client/told-peers.ts'
import { AT, somePeer } from './stand-in.ts'

const kitchen = somePeer('kitchen')
const studio = somePeer('studio', { services: [] })

/** Says what a daemon would; `told` takes what has been told since, as `peer-up kitchen` and `service-up web`. */
class Said {
  readonly peers: ToldPeers
  now = 0
  #told: string[] = []

  constructor(filter: WatchFilter = {}) {
    this.peers = new ToldPeers(filter)
  }

  event(type: Event['type'], peer: Peer): this {
    return this.#take({ type, index: 1, at: AT, peer, lastEventId: '' })
  }

  sync(epoch: string): this {
    return this.#take({ type: 'sync', epoch, index: 1, at: AT, lastEventId: '' })
  }

  gap(epoch: string): this {
    return this.#take({ type: 'gap', epoch, index: 1, at: AT, lastEventId: '' })
  }

  at(now: number, fates: Peer[] = []): this {
    this.now = now
    const changes = this.peers.overdue(now, AT, new Map(fates.map((peer) => [peer.id, peer])))
    this.#told.push(...changes.map(say))
    return this
  }

  told(): string[] {
    const told = this.#told
    this.#told = []
    return told
  }

  #take(event: DaemonEvent): this {
    this.#told.push(...this.peers.take(event, this.now).map(say))
    return this
  }
}

function say(change: ReturnType<ToldPeers['take']>[number]): string {
  if (change.type === 'sync') return 'sync'
  const { type, peer, present } = change
  const what = 'service' in change ? `${change.service.id} of ${peer.name}` : `${peer.name} ${peer.state}`
  return `${type} ${what}${present ? '' : ' gone'}`
}

describe('what is told of peers', () => {
  test('never names one that has failed or left as there, whatever changes in its record', () => {
    const said = new Said()
    const failed = { ...kitchen, state: 'failed' as const }
    said.event('peer', kitchen).sync('e1').told()
    said.event('peer-failed', failed)
    expect(said.told()).toEqual(['peer-failed kitchen failed gone', 'service-down web of kitchen gone'])
    said.event('peer-update', { ...failed, attributes: { status: 'moved' } })
    said.event('peer-update', { ...studio, state: 'left' })
    expect(said.told()).toEqual([])
    said.event('peer-update', { ...kitchen, flapping: true })
    expect(said.told()).toEqual(['peer-up kitchen alive', 'service-up web of kitchen'])
  })

  test('begins with each that is there, and its services', () => {
    const said = new Said()
    said
      .event('peer', kitchen)
      .event('peer', { ...studio, state: 'suspect' })
      .sync('e1')
    expect(said.told()).toEqual([
      'peer-up kitchen alive',
      'service-up web of kitchen',
      'peer-up studio suspect',
      'sync',
    ])
    said.sync('e1')
    expect(said.told()).toEqual([])
  })

  test('is every change of state, and what it means for services', () => {
    const said = new Said()
    said
      .event('peer-up', kitchen)
      .event('peer-suspect', { ...kitchen, state: 'suspect' })
      .event('peer-up', kitchen)
    said.event('peer-failed', { ...kitchen, state: 'failed' }).event('peer-up', kitchen)
    said.event('peer-left', { ...kitchen, state: 'left' })
    expect(said.told()).toEqual([
      'peer-up kitchen alive',
      'service-up web of kitchen',
      'peer-suspect kitchen suspect',
      'peer-up kitchen alive',
      'peer-failed kitchen failed gone',
      'service-down web of kitchen gone',
      'peer-up kitchen alive',
      'service-up web of kitchen',
      'peer-left kitchen left gone',
      'service-down web of kitchen gone',
    ])
    said.event('peer-failed', { ...studio, state: 'failed' })
    expect(said.told()).toEqual([])
  })

  test('is every change of its services and of itself', () => {
    const said = new Said()
    const [web] = kitchen.services
    if (!web) throw new Error('no service')
    said.event('peer', kitchen).sync('e1').told()
    said.event('peer-update', {
      ...kitchen,
      services: [
        { ...web, txt: { path: '/' } },
        { ...web, id: 'api' },
      ],
    })
    expect(said.told()).toEqual([
      'peer-update kitchen alive',
      'service-update web of kitchen',
      'service-up api of kitchen',
    ])
    said.event('peer-update', { ...kitchen, services: [], attributes: { status: 'idle' } })
    expect(said.told()).toEqual([
      'peer-update kitchen alive',
      'service-down web of kitchen gone',
      'service-down api of kitchen gone',
    ])
    said.event('peer-update', { ...kitchen, services: [], attributes: { status: 'idle' }, lastSeen: '' })
    expect(said.told()).toEqual([])
  })

  test('is only of peers that pass, and when they cease to', () => {
    const said = new Said({ service: 'http', attributes: { load: 1 } })
    const idle = { ...kitchen, attributes: { load: 1 } }
    said.event('peer-up', studio).event('peer-up', kitchen)
    expect(said.told()).toEqual([])
    said.event('peer-update', idle).event('peer-update', kitchen).event('peer-update', kitchen)
    expect(said.told()).toEqual([
      'peer-up kitchen alive',
      'service-up web of kitchen',
      'peer-update kitchen alive gone',
      'service-down web of kitchen gone',
    ])
    const [web] = kitchen.services
    if (!web) throw new Error('no service')
    said.event('peer-up', { ...idle, services: [web, { ...web, id: 'sound', type: '_osc._udp' }] })
    expect(said.told()).toEqual(['peer-up kitchen alive', 'service-up web of kitchen'])
  })
})

describe('after a gap', () => {
  const begun = () => {
    const said = new Said()
    said.event('peer', kitchen).event('peer', studio).sync('e1').told()
    return said
  }

  test('of the same daemon only the differences are told, with the fate of those who are no longer there', () => {
    const said = begun()
    said
      .gap('e1')
      .event('peer', { ...studio, attributes: { status: 'idle' } })
      .sync('e1')
    expect(said.told()).toEqual(['peer-update studio alive'])
    expect(said.peers.due).toBe(0)
    said.at(0, [{ ...kitchen, state: 'left' }])
    expect(said.told()).toEqual(['peer-left kitchen left gone', 'service-down web of kitchen gone'])
    expect(said.peers.due).toBeUndefined()
  })

  test('a daemon that began anew has time to hear everyone', () => {
    const said = begun()
    said.gap('e2').sync('e2').at(4999)
    said.event('peer-up', kitchen)
    expect(said.told()).toEqual([])
    expect(said.peers.due).toBe(5000)
    said.at(5000)
    expect(said.told()).toEqual(['peer-failed studio failed gone'])
  })

  test('it has longer for those who beat rarely', () => {
    const said = new Said()
    said
      .event('peer', somePeer('slow', { intervalMs: 8000 }))
      .sync('e1')
      .gap('e2')
      .sync('e2')
    expect(said.peers.due).toBe(8000 * 3.5 + 1200)
  })

  test('and again when it began anew once more, but not when it only lost the reader', () => {
    const said = begun()
    said.gap('e2').sync('e2').at(4000).gap('e3').sync('e3')
    expect(said.peers.due).toBe(9000)
    said.at(5000).gap('e3').event('peer', kitchen).sync('e3')
    expect(said.peers.due).toBe(9000)
    said.at(9000)
    expect(said.told()).toEqual(['peer-failed studio failed gone'])
  })

  test('who comes back different is told so at once', () => {
    const said = begun()
    said
      .gap('e2')
      .sync('e2')
      .event('peer-up', { ...kitchen, incarnation: 8 })
    said.event('peer-up', { ...studio, state: 'suspect' })
    expect(said.told()).toEqual(['peer-update kitchen alive', 'peer-suspect studio suspect'])
    said.at(9000)
    expect(said.told()).toEqual([])
  })

  test('who comes back with fewer addresses may yet be heard on its other networks', () => {
    const said = new Said()
    const eth1 = { address: '10.0.0.7', family: 'ipv4' as const, interface: 'eth1' }
    const both = { ...kitchen, addresses: [...kitchen.addresses, eth1] }
    said
      .event('peer', { ...both, flapping: true })
      .sync('e1')
      .told()
    said.gap('e2').sync('e2').event('peer-up', kitchen).at(1000).event('peer-update', both).at(4000)
    expect(said.told()).toEqual([])
    said.at(5000)
    expect(said.told()).toEqual(['peer-update kitchen alive'])
    said.gap('e3').sync('e3').event('peer-up', kitchen).at(5001)
    expect(said.told()).toEqual([])
    said.at(10_000)
    expect(said.told()).toEqual(['peer-update kitchen alive'])
  })

  test('what happens to someone in doubt is told', () => {
    const said = begun()
    said
      .gap('e2')
      .event('peer-up', kitchen)
      .sync('e2')
      .event('peer-left', { ...kitchen, state: 'left' })
    said.event('peer-left', { ...studio, state: 'left' })
    expect(said.told()).toEqual([
      'peer-left kitchen left gone',
      'service-down web of kitchen gone',
      'peer-left studio left gone',
    ])
    expect(said.peers.due).toBeUndefined()
  })
})

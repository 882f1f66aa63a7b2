import { describe, expect, test } from 'vitest'
import type { DaemonEvent, Event, Peer, WatchFilter } from '../../src/client/index.ts'
import { WatchState } from '../../src/client/watch-state.ts'
import { AT, somePeer } from './some-peer.ts'

const kitchen = somePeer('kitchen')
const studio = somePeer('studio', { services: [] })

/** Plays the daemon to a watch; `reported` takes the changes since its last call: `peer-up kitchen`, `service-up web`. */
class FakeEvents {
  readonly state: WatchState
  now = 0
  #reported: string[] = []

  constructor(filter: WatchFilter = {}) {
    this.state = new WatchState(filter)
  }

  event(type: Event['type'], peer: Peer): this {
    return this.#apply({ type, index: 1, at: AT, peer, lastEventId: '' })
  }

  sync(epoch: string): this {
    return this.#apply({ type: 'sync', epoch, index: 1, at: AT, lastEventId: '' })
  }

  gap(epoch: string): this {
    return this.#apply({ type: 'gap', epoch, index: 1, at: AT, lastEventId: '' })
  }

  at(now: number, departed: Peer[] = []): this {
    this.now = now
    const changes = this.state.expire(now, AT, new Map(departed.map((peer) => [peer.id, peer])))
    this.#reported.push(...changes.map(say))
    return this
  }

  reported(): string[] {
    const reported = this.#reported
    this.#reported = []
    return reported
  }

  #apply(event: DaemonEvent): this {
    this.#reported.push(...this.state.apply(event, this.now).map(say))
    return this
  }
}

function say(change: ReturnType<WatchState['apply']>[number]): string {
  if (change.type === 'sync') return 'sync'
  const { type, peer, present } = change
  const what = 'service' in change ? `${change.service.id} of ${peer.name}` : `${peer.name} ${peer.state}`
  return `${type} ${what}${present ? '' : ' gone'}`
}

describe('WatchState', () => {
  test('never reports a failed or departed peer as present when its record changes', () => {
    const events = new FakeEvents()
    const failed = { ...kitchen, state: 'failed' as const }
    events.event('peer', kitchen).sync('e1').reported()
    events.event('peer-failed', failed)
    expect(events.reported()).toEqual(['peer-failed kitchen failed gone', 'service-down web of kitchen gone'])
    events.event('peer-update', { ...failed, attributes: { status: 'moved' } })
    events.event('peer-update', { ...studio, state: 'left' })
    expect(events.reported()).toEqual([])
    events.event('peer-update', { ...kitchen, flapping: true })
    expect(events.reported()).toEqual(['peer-up kitchen alive', 'service-up web of kitchen'])
  })

  test('reports the present peers and their services first', () => {
    const events = new FakeEvents()
    events
      .event('peer', kitchen)
      .event('peer', { ...studio, state: 'suspect' })
      .sync('e1')
    expect(events.reported()).toEqual([
      'peer-up kitchen alive',
      'service-up web of kitchen',
      'peer-up studio suspect',
      'sync',
    ])
    events.sync('e1')
    expect(events.reported()).toEqual([])
  })

  test('reports every change of state, with the changes of services that follow', () => {
    const events = new FakeEvents()
    events
      .event('peer-up', kitchen)
      .event('peer-suspect', { ...kitchen, state: 'suspect' })
      .event('peer-up', kitchen)
    events.event('peer-failed', { ...kitchen, state: 'failed' }).event('peer-up', kitchen)
    events.event('peer-left', { ...kitchen, state: 'left' })
    expect(events.reported()).toEqual([
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
    events.event('peer-failed', { ...studio, state: 'failed' })
    expect(events.reported()).toEqual([])
  })

  test('reports changes of the services and of the record', () => {
    const events = new FakeEvents()
    const [web] = kitchen.services
    if (!web) throw new Error('no service')
    events.event('peer', kitchen).sync('e1').reported()
    events.event('peer-update', {
      ...kitchen,
      services: [
        { ...web, txt: { path: '/' } },
        { ...web, id: 'api' },
      ],
    })
    expect(events.reported()).toEqual([
      'peer-update kitchen alive',
      'service-update web of kitchen',
      'service-up api of kitchen',
    ])
    events.event('peer-update', { ...kitchen, services: [], attributes: { status: 'idle' } })
    expect(events.reported()).toEqual([
      'peer-update kitchen alive',
      'service-down web of kitchen gone',
      'service-down api of kitchen gone',
    ])
    events.event('peer-update', { ...kitchen, services: [], attributes: { status: 'idle' }, lastSeen: '' })
    expect(events.reported()).toEqual([])
  })

  test('reports only peers that match, and when they no longer match', () => {
    const events = new FakeEvents({ service: 'http', attributes: { load: 1 } })
    const idle = { ...kitchen, attributes: { load: 1 } }
    events.event('peer-up', studio).event('peer-up', kitchen)
    expect(events.reported()).toEqual([])
    events.event('peer-update', idle).event('peer-update', kitchen).event('peer-update', kitchen)
    expect(events.reported()).toEqual([
      'peer-up kitchen alive',
      'service-up web of kitchen',
      'peer-update kitchen alive gone',
      'service-down web of kitchen gone',
    ])
    const [web] = kitchen.services
    if (!web) throw new Error('no service')
    events.event('peer-up', { ...idle, services: [web, { ...web, id: 'sound', type: '_osc._udp' }] })
    expect(events.reported()).toEqual(['peer-up kitchen alive', 'service-up web of kitchen'])
  })
})

describe('after a gap', () => {
  const begun = () => {
    const events = new FakeEvents()
    events.event('peer', kitchen).event('peer', studio).sync('e1').reported()
    return events
  }

  test('reports only differences, and how missing peers have gone, if the daemon is the same', () => {
    const events = begun()
    events
      .gap('e1')
      .event('peer', { ...studio, attributes: { status: 'idle' } })
      .sync('e1')
    expect(events.reported()).toEqual(['peer-update studio alive'])
    expect(events.state.nextDeadline).toBe(0)
    events.at(0, [{ ...kitchen, state: 'left' }])
    expect(events.reported()).toEqual(['peer-left kitchen left gone', 'service-down web of kitchen gone'])
    expect(events.state.nextDeadline).toBeUndefined()
  })

  test('gives a restarted daemon time to hear all peers', () => {
    const events = begun()
    events.gap('e2').sync('e2').at(4999)
    events.event('peer-up', kitchen)
    expect(events.reported()).toEqual([])
    expect(events.state.nextDeadline).toBe(5000)
    events.at(5000)
    expect(events.reported()).toEqual(['peer-failed studio failed gone'])
  })

  test('gives a restarted daemon more time for peers with long beacon intervals', () => {
    const events = new FakeEvents()
    events
      .event('peer', somePeer('slow', { intervalMs: 8000 }))
      .sync('e1')
      .gap('e2')
      .sync('e2')
    expect(events.state.nextDeadline).toBe(8000 * 3.5 + 1200)
  })

  test('gives the time again after another restart, but not after a lost connection', () => {
    const events = begun()
    events.gap('e2').sync('e2').at(4000).gap('e3').sync('e3')
    expect(events.state.nextDeadline).toBe(9000)
    events.at(5000).gap('e3').event('peer', kitchen).sync('e3')
    expect(events.state.nextDeadline).toBe(9000)
    events.at(9000)
    expect(events.reported()).toEqual(['peer-failed studio failed gone'])
  })

  test('reports at once a peer that is different after a restart', () => {
    const events = begun()
    events
      .gap('e2')
      .sync('e2')
      .event('peer-up', { ...kitchen, incarnation: 8 })
    events.event('peer-up', { ...studio, state: 'suspect' })
    expect(events.reported()).toEqual(['peer-update kitchen alive', 'peer-suspect studio suspect'])
    events.at(9000)
    expect(events.reported()).toEqual([])
  })

  test('waits for the addresses that a restarted daemon does not know yet', () => {
    const events = new FakeEvents()
    const eth1 = { address: '10.0.0.7', family: 'ipv4' as const, interface: 'eth1' }
    const both = { ...kitchen, addresses: [...kitchen.addresses, eth1] }
    events
      .event('peer', { ...both, flapping: true })
      .sync('e1')
      .reported()
    events.gap('e2').sync('e2').event('peer-up', kitchen).at(1000).event('peer-update', both).at(4000)
    expect(events.reported()).toEqual([])
    events.at(5000)
    expect(events.reported()).toEqual(['peer-update kitchen alive'])
    events.gap('e3').sync('e3').event('peer-up', kitchen).at(5001)
    expect(events.reported()).toEqual([])
    events.at(10_000)
    expect(events.reported()).toEqual(['peer-update kitchen alive'])
  })

  test('reports changes of unconfirmed peers', () => {
    const events = begun()
    events
      .gap('e2')
      .event('peer-up', kitchen)
      .sync('e2')
      .event('peer-left', { ...kitchen, state: 'left' })
    events.event('peer-left', { ...studio, state: 'left' })
    expect(events.reported()).toEqual([
      'peer-left kitchen left gone',
      'service-down web of kitchen gone',
      'peer-left studio left gone',
    ])
    expect(events.state.nextDeadline).toBeUndefined()
  })
})

import { expect, it } from 'vitest'
import { Mdns } from '../../src/core/mdns/mdns.ts'
import type { Notice } from '../../src/core/presence/peers/types.ts'
import { Presence } from '../../src/core/presence/presence.ts'
import { createIdentity } from '../../src/core/wire/identity.ts'
import { MDNS } from '../../src/io/mdns/transport.ts'
import { MdnsDriver } from '../../src/io/mdns-driver.ts'
import { Net } from '../../src/io/net/net.ts'
import { PresenceDriver } from '../../src/io/presence-driver.ts'
import { Clock, random } from '../../src/io/system.ts'

const HEARD = {
  interface: 'eth0',
  path: 'multicast4',
  address: '192.0.2.1',
  port: 15353,
  onLink: true,
  own: false,
} as const

/** A datagram whose handling throws an error. */
function impossible(): Uint8Array {
  const fail = () => {
    throw new Error('cannot handle this')
  }
  return new Proxy(new Uint8Array(40), { get: fail })
}

/** A Net without sockets, since its interface does not exist. */
function emptyNet(): Net {
  return new Net({ port: 15353, group4: MDNS.group4, group6: MDNS.group6, include: ['no-such-one'], exclude: [] })
}

it('counts errors in the handling of a datagram, reports the first one, and goes on', async () => {
  const net = emptyNet()
  const notices: Notice[] = []
  const presence = new Presence({
    identity: createIdentity(),
    incarnation: 1,
    profile: { name: 'a', hostname: 'a', version: '', services: [], attributes: {} },
    interval: 1000,
    budget: 256_000,
    random,
  })
  const driver = new PresenceDriver(presence, net, new Clock(), (notice) => notices.push(notice))
  await driver.start()
  for (let i = 0; i < 3; i++) net.emit('datagram', impossible(), HEARD)
  net.emit('datagram', new Uint8Array(40), HEARD)
  await driver.stop()
  expect(presence.self().counters.refused).toEqual({ exception: 3, 'not-earshot': 1 })
  expect(notices).toEqual([{ type: 'exception', error: new Error('cannot handle this') }])
})

it('counts errors in the handling of an mDNS message, reports the first one, and goes on', async () => {
  const net = emptyNet()
  const failures: Error[] = []
  const handler = { sighted: () => {}, noticed: () => {}, failed: (error: Error) => failures.push(error) }
  const driver = new MdnsDriver(new Mdns({ random, browse: [] }), net, new Clock(), handler)
  await driver.start()
  for (let i = 0; i < 3; i++) net.emit('datagram', impossible(), HEARD)
  await driver.stop()
  expect(driver.view().counters).toMatchObject({ dropped: 3 })
  expect(failures).toEqual([new Error('cannot handle this')])
})

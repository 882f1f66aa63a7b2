import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { chance } from './chance.ts'
import { Clock } from './clock.ts'
import type { Peers } from './control/api.ts'
import { peerJson } from './control/views.ts'
import { Driver } from './driver.ts'
import { Net, type NetOptions } from './net/index.ts'
import { Presence } from './presence/index.ts'
import { createIdentity } from './wire/index.ts'

export interface ListenOptions extends NetOptions {
  /** How long to listen. */
  milliseconds: number
}

/**
 * Who is there, without a daemon: asks everyone and listens for a while. Says nothing of itself.
 * @throws PortInUse
 */
export async function listenOnce({ milliseconds, ...options }: ListenOptions): Promise<Peers> {
  const clock = new Clock()
  const presence = new Presence({
    identity: createIdentity(),
    incarnation: 0,
    profile: { name: 'listener', hostname: '', version: '', services: [], attributes: {} },
    interval: 1000,
    budget: Number.POSITIVE_INFINITY,
    chance,
    silent: true,
  })
  const driver = new Driver(presence, new Net(options), clock, () => {})
  await driver.start()
  await delay(milliseconds)
  const peers = presence.peers().map((view) => peerJson(view, (moment) => clock.wallClock(moment)))
  await driver.stop()
  return { epoch: randomBytes(4).toString('hex'), index: presence.index, peers }
}

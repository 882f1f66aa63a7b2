import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { Mdns } from '../core/mdns/index.ts'
import { Presence } from '../core/presence/index.ts'
import { createIdentity } from '../core/wire/index.ts'
import { Clock } from '../io/clock.ts'
import { Driver } from '../io/driver.ts'
import { MDNS } from '../io/mdns/links.ts'
import { MdnsDriver } from '../io/mdns-driver.ts'
import { Net, type NetOptions } from '../io/net/index.ts'
import { random } from '../io/random.ts'
import type { Peers } from '../shared/api.ts'
import { peerJson } from './control/views.ts'

export interface ListenOptions extends NetOptions {
  /** How long to listen. */
  milliseconds: number
  /** Which services to ask for by mDNS; false: none. */
  mdns: false | { browse: readonly string[] }
}

/**
 * Who is there, without a daemon: asks everyone and listens for a while. Says nothing of itself.
 * @throws PortInUse
 */
export async function listenOnce({ milliseconds, mdns, ...options }: ListenOptions): Promise<Peers> {
  const clock = new Clock()
  const presence = new Presence({
    identity: createIdentity(),
    incarnation: 0,
    profile: { name: 'listener', hostname: '', version: '', services: [], attributes: {} },
    interval: 1000,
    budget: Number.POSITIVE_INFINITY,
    random,
    silent: true,
  })
  const driver = new Driver(presence, new Net(options), clock, () => {})
  const finder = createFinder(mdns, options, clock, driver)
  await driver.start()
  await finder?.start()
  await delay(milliseconds)
  const peers = presence.peers().map((view) => peerJson(view, (moment) => clock.wallClock(moment)))
  await Promise.all([driver.stop(), finder?.stop()])
  return { epoch: randomBytes(4).toString('hex'), index: presence.index, peers }
}

/** Publishes nothing, as it is not told what. */
function createFinder(
  mdns: ListenOptions['mdns'],
  options: NetOptions,
  clock: Clock,
  driver: Driver,
): MdnsDriver | undefined {
  if (!mdns) return undefined
  const net = new Net({ ...options, ...MDNS, sharedPort: true })
  return new MdnsDriver(new Mdns({ random, browse: mdns.browse }), net, clock, {
    sighted: (sighting) => driver.sight(sighting),
    noticed: () => {},
    failed: () => {},
  })
}

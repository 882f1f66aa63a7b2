import type { Logger } from 'pino'
import { Mdns } from '../core/mdns/mdns.ts'
import { MDNS } from '../io/mdns/transport.ts'
import { MdnsDriver } from '../io/mdns-driver.ts'
import type { InterfaceMonitor } from '../io/net/interface-monitor.ts'
import { Net } from '../io/net/net.ts'
import type { NetOptions } from '../io/net/types.ts'
import type { PresenceDriver } from '../io/presence-driver.ts'
import { type Clock, random } from '../io/system.ts'
import { logFaults, logMdns } from './log-events.ts'

interface MdnsOptions {
  /** The port and the groups are those of mDNS. */
  net: NetOptions
  /** The interfaces in use. */
  monitor: InterfaceMonitor
  /** The service types to browse for. */
  browse: readonly string[]
  clock: Clock
  log?: Logger | undefined
}

/**
 * Creates mDNS and connects it with presence: mDNS reports the hosts that it finds. Presence has hosts queried by mDNS whose
 * beacons have stopped.
 */
export function openMdns(
  { net: options, monitor, browse, clock, log }: MdnsOptions,
  driver: PresenceDriver,
): MdnsDriver {
  const net = new Net({ ...options, ...MDNS, sharedPort: true }, monitor)
  const mdnsLog = log?.child({ by: 'mdns' })
  if (mdnsLog) logFaults(mdnsLog, net)
  const rules = new Mdns({
    random,
    browse,
    isConfirmedByBeacon: (host, assertion) => driver.isConfirmedByBeacon(host, assertion),
  })
  const mdnsDriver = new MdnsDriver(rules, net, clock, {
    sighted: (sighting) => driver.sight(sighting),
    noticed: (notice) => mdnsLog && logMdns(mdnsLog, notice),
    failed: (error) => mdnsLog?.error({ err: error }, 'failed to handle an mDNS message; earshotd goes on'),
  })
  driver.onHostToQuery((hostname) => mdnsDriver.ask(hostname))
  return mdnsDriver
}

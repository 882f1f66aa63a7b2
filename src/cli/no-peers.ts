import { type Earshot, EarshotError, type PeerFilter, type Peers, type Self } from '../client/index.ts'
import type { PeerQuery } from '../daemon/control/peer-filter.ts'
import type { Context, GlobalOptions } from './command.ts'
import { printable } from './terminal.ts'

/** What commands do without a list of peers: they listen if no daemon runs, and say why if the list is empty. */

const LISTEN_MS = 1000

/**
 * Asks the daemon. If no daemon runs, listens to the network for one second instead and passes the peers heard to
 * `answerFrom`. If the user names a daemon with `--socket`, only that daemon's answer counts.
 * @throws EarshotError; if it listens, also BadConfig, BadRequest and PortInUse
 */
export async function askOrListen<Answer>(
  ask: () => Promise<Answer>,
  filter: PeerFilter,
  answerFrom: (heard: Peers) => Answer,
  { socket }: GlobalOptions,
  { output }: Context,
): Promise<Answer> {
  try {
    return await ask()
  } catch (error) {
    const isMissing = error instanceof EarshotError && error.code === 'EARSHOT_NO_DAEMON'
    if (!isMissing || socket !== undefined) throw error
    output.warn('no daemon answers: listening for a second (start one: earshotd)')
    const heard = await listen(filter)
    if (heard.peers.length === 0) {
      output.warn(
        'no matching peer was heard (earshotd must run on the other machines, and their firewalls must let in its UDP port, 15353 unless configured)',
      )
    }
    return answerFrom(heard)
  }
}

/**
 * Listens and queries for a second, with the settings of the daemon (environment and config file). Loads the daemon's
 * modules, which no other command needs, only when it is called.
 */
async function listen(filter: PeerFilter): Promise<Peers> {
  const [{ listenOnce }, { loadConfig }, { peerFilter }] = await Promise.all([
    import('../daemon/discovery.ts'),
    import('../daemon/config/config.ts'),
    import('../daemon/control/peer-filter.ts'),
  ])
  // Throws before the wait if the filter is wrong.
  const match = peerFilter(queryOf(filter))
  const config = await loadConfig({})
  const heard = await listenOnce({
    milliseconds: LISTEN_MS,
    port: config.port,
    group4: config.group4,
    group6: config.group6,
    include: config.interface,
    exclude: config.exclude,
    mdns: config.mdns,
  })
  return { ...heard, peers: heard.peers.flatMap((peer) => match(peer) ?? []) }
}

/** The filter as query parameters of the API. */
function queryOf({ service, state, source, attributes = {} }: PeerFilter): PeerQuery {
  const pairs = Object.entries(attributes).map(([key, value]) => [`attr.${key}`, [String(value)]])
  return {
    ...Object.fromEntries(pairs),
    ...(service !== undefined && { service: [service].flat() }),
    ...(state !== undefined && { state: [state].flat() }),
    source,
  }
}

/**
 * Says on standard error why a list is empty: this machine cannot receive beacons, or no other peer is heard. Says nothing
 * if other peers are heard and only do not match. If the daemon does not answer, the command does not fail.
 */
export async function warnIfNoPeersHeard(daemon: Earshot, { output, signal }: Context): Promise<void> {
  const answers = Promise.all([daemon.self({ signal }), daemon.peers({}, { signal })])
  const [self, others] = (await answers.catch(() => undefined)) ?? []
  if (!self || !others) return
  const reason = others.peers.length === 0 ? noPeersReason(self) : receiveFault(self)
  if (reason !== undefined) output.warn(reason)
}

/** Why no other peer is heard, and what to do, in one sentence. */
export function noPeersReason(self: Self): string {
  const names = self.interfaces.map(({ name }) => printable(name)).join(', ')
  return (
    receiveFault(self) ??
    `no other peer is heard on ${names} (earshotd must run on the other machines, and their firewalls must let in UDP port ${self.port})`
  )
}

/**
 * Why this machine can hear no peers, and what to do, in one sentence; undefined if the daemon hears its own beacons on
 * some path.
 */
export function receiveFault({ interfaces, leftOut, port }: Self): string | undefined {
  if (interfaces.length === 0) {
    const reasons = leftOut.map(({ name, reason }) => `${printable(name)}: ${printable(reason)}`).join('; ')
    const advice = "to use one, start earshotd with --interface NAME; 'earshot status' shows all"
    return `no peer can be heard: no network interface is in use${reasons && ` (${reasons})`} (${advice})`
  }
  const paths = interfaces.flatMap((each) => each.paths.map((path) => ({ ...path, name: each.name })))
  if (!paths.every(({ deaf, fault }) => deaf || fault !== undefined)) return undefined
  const faulty = paths.find(({ fault }) => fault !== undefined)
  if (faulty?.fault !== undefined) {
    return `no peer can be heard: sending on ${printable(faulty.name)} fails: ${printable(faulty.fault)} (see 'earshot status')`
  }
  if (paths.length === 0) return undefined
  const open = `ufw allow ${port}/udp, or firewall-cmd --add-port=${port}/udp`
  return `this machine does not hear its own beacons: a firewall may drop UDP port ${port} (${open}; see 'earshot status')`
}

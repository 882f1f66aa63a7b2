import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { createInterface } from 'node:readline'
import { pino } from 'pino'
import { Presence } from '../../src/core/presence/presence.ts'
import { createIdentity } from '../../src/core/wire/identity.ts'
import { ControlServer } from '../../src/daemon/control/server.ts'
import { Catalogue } from '../../src/daemon/services/catalogue.ts'
import { Clock, random } from '../../src/io/system.ts'
import { recordDatagrams, SyntheticPeer } from '../../test/acceptance/synthetic-peer.ts'

/**
 * Serves the control API with made-up peers, which came in as signed records and beats, for `api-client.ts`. There is no network: nobody beats later,
 * and no lease expires. Arguments: the path of the socket, how many peers there are (16,384 at most).
 *
 * Prints one JSON text a line. First `{"ready":PEERS}`. Then it answers lines on standard input:
 * - `change`: a peer has a new record. Prints `{"changedAt":MS,"index":INDEX}`, with the time at which its datagram came, in ms of `process.hrtime()`,
 *   which all processes of a machine share.
 * - `usage`: prints `{"longestBlock":MS,"cpu":MS,"rss":BYTES}`: the longest time that the event loop was blocked, and the processor time used, since the
 *   last such line; and the resident memory.
 * It ends when standard input ends.
 */
const [, , socket = 'api.sock', count = '10000'] = process.argv
const PATHS = ['broadcast', 'multicast4', 'multicast6'] as const
/** Between the records of two peers, ms: the budget for signatures allows no more. */
const RECORD_INTERVAL = 4
/** Between the beats of two peers, ms. */
const BEAT_INTERVAL = 2

const clock = new Clock()
const presence = new Presence({
  identity: createIdentity(),
  incarnation: 1,
  profile: { name: 'server', hostname: 'server.lan', version: 'bench', services: [], attributes: {} },
  interval: 1000,
  budget: Number.POSITIVE_INFINITY,
  random,
  silent: true,
})
const peers = Array.from({ length: Number(count) }, (_, number) => {
  const address = `10.${number >> 16}.${(number >> 8) & 255}.${number & 255}`
  const services = [{ id: 'web', name: 'Web', type: '_http._tcp', port: 8080, txt: { path: '/' }, subtypes: [] }]
  return { address, peer: new SyntheticPeer({ name: `peer-${number}`, address, interval: 3_600_000, services }) }
})
const listeners = new Set<() => void>()

/** The datagram of a record, which fits into one. */
function recordOf(peer: SyntheticPeer, version: number, load: number): Uint8Array {
  const [datagram] = recordDatagrams(peer.record(version, { status: 'idle', load, ready: true }))
  if (!datagram) throw new Error('a record has no datagram')
  return datagram
}

function receive(datagram: Uint8Array, address: string, path: (typeof PATHS)[number], now: number): void {
  presence.receive(datagram, { interface: 'eth0', path, address, port: 15353, onLink: true, own: false }, now)
  presence.takeOutgoing()
  presence.takeNotices()
  for (const listener of listeners) listener()
}

const interfaces = [{ name: 'eth0', addresses: [], paths: [...PATHS] }]
let time = clock.now() - peers.length * (RECORD_INTERVAL + BEAT_INTERVAL)
presence.setInterfaces(interfaces, time)
presence.start(time)
for (const { address, peer } of peers) {
  time += RECORD_INTERVAL
  receive(recordOf(peer, 1, 21.5), address, 'broadcast', time)
}
// Peers were not heard last in the order in which they were heard first.
const byId = (one: SyntheticPeer, other: SyntheticPeer) => (one.identity.id < other.identity.id ? -1 : 1)
for (const { address, peer } of peers.toSorted((one, other) => byId(one.peer, other.peer))) {
  time += BEAT_INTERVAL
  for (const path of PATHS) receive(peer.beat(), address, path, time)
}
if (presence.peers().length !== peers.length) throw new Error(`only ${presence.peers().length} peers were taken`)

const catalogue = await Catalogue.open({
  ...{ name: 'server', hostname: 'server.lan', servicesDir: [], services: [], attributes: {} },
  stateDir: await mkdtemp(join(tmpdir(), 'earshot-bench-')),
  now: () => clock.now(),
  publish: () => {},
  notify: () => {},
})
const control = new ControlServer(
  {
    presence,
    catalogue,
    token: 'none',
    epoch: 'bench',
    now: () => clock.now(),
    wallClock: (moment) => clock.wallClock(moment),
    onChange: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    describe: () => ({
      ...{ startedAt: 0, port: 15353, stateDir: '', leftOut: [], faults: [] },
      dropped: { unicast: 0, shared: 0 },
    }),
    probe: async () => undefined,
    query: () => {},
  },
  { socket, log: pino({ level: 'warn' }) },
)
await control.listen()
await control.serve()

const loop = monitorEventLoopDelay({ resolution: 1 })
loop.enable()
let cpu = process.cpuUsage()
let version = 1
print({ ready: peers.length })
for await (const line of createInterface({ input: process.stdin })) {
  if (line === 'change') print(change())
  if (line === 'usage') print(usage())
}
await control.close()
await catalogue.close()

/** A new record of one peer, which was signed before the time is taken. */
function change(): object {
  version++
  const changing = peers[version % peers.length]
  if (!changing) throw new Error('there are no peers')
  const datagram = recordOf(changing.peer, version, version)
  const [seconds, nanoseconds] = process.hrtime()
  receive(datagram, changing.address, 'broadcast', clock.now())
  return { changedAt: seconds * 1000 + nanoseconds / 1e6, index: presence.index }
}

function usage(): object {
  const { user, system } = process.cpuUsage(cpu)
  const longestBlock = loop.max / 1e6
  loop.reset()
  cpu = process.cpuUsage()
  return { longestBlock, cpu: (user + system) / 1000, rss: process.memoryUsage.rss() }
}

function print(value: object): void {
  process.stdout.write(`${JSON.stringify(value)}\n`)
}

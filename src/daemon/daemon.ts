import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import type { Logger } from 'pino'
import { Mdns } from '../core/mdns/index.ts'
import { Presence, type Profile, type Saying } from '../core/presence/index.ts'
import { createIdentity } from '../core/wire/index.ts'
import { Clock } from '../io/clock.ts'
import { Driver } from '../io/driver.ts'
import { MDNS } from '../io/mdns/links.ts'
import { MdnsDriver } from '../io/mdns-driver.ts'
import { Net } from '../io/net/index.ts'
import { random } from '../io/random.ts'
import { IdentityFile, type Life } from '../io/state.ts'
import { BadConfig } from '../shared/errors.ts'
import { VERSION } from '../shared/version.ts'
import { type Config, printableHostName } from './config/index.ts'
import { Control, prepareSocket, type Station } from './control/index.ts'
import { untilEnding } from './ending.ts'
import { captureConsole, openLog } from './log.ts'
import { logCatalogue, logChanges, logFaults, logMdns, logNetwork, logNotice, logState } from './narrate.ts'
import { Catalogue } from './services/catalogue.ts'

/**
 * Runs the daemon until it is told to end (see `untilEnding`), which it also is while it starts.
 * @throws what it cannot start with: BadConfig, StateUnusable, AlreadyRunning, SocketUnusable, HttpInUse, PortInUse
 * @throws what went wrong unexpectedly
 */
export async function runDaemon(config: Config): Promise<void> {
  const log = openLog(config)
  captureConsole(log)
  const told = new AbortController()
  const ending = untilEnding(log).finally(() => told.abort())
  const daemon = await startDaemon(config, log, told.signal)
  const { signal, error, finish } = await ending
  log.info({ signal }, 'leaving')
  await daemon?.stop()
  finish()
  if (error) throw error
}

/** Undefined when it was told to end while it started; then nothing is left running. */
async function startDaemon(
  config: Config,
  log: Logger,
  told: AbortSignal,
): Promise<{ stop(): Promise<void> } | undefined> {
  const clock = new Clock()
  // First of all: one that is running already is not to find another's marks in its state directory.
  await prepareSocket(config.socket)
  const identityFile = new IdentityFile(config.stateDir, (notice) => logState(log, notice))
  const life = await identityFile.begin()
  if (told.aborted) return undefined
  const interfaces = { include: config.interface, exclude: config.exclude }
  const net = new Net({ port: config.port, group4: config.group4, group6: config.group6, ...interfaces })
  const profile = { name: config.name, hostname: printableHostName(hostname()), version: VERSION }
  if (profile.hostname !== hostname()) {
    log.warn(
      { hostname: profile.hostname },
      "the machine's host name is too long, or holds control characters: others are told this one",
    )
  }
  const presence = createPresence(config, life, profile)
  const driver = new Driver(presence, net, clock, (notice) => {
    logNotice(log, notice)
    if (notice.type === 'identity-taken') void takeNewIdentity()
    if (notice.type === 'incarnation') void identityFile.keep(identity, notice.incarnation)
  })
  let { identity } = life

  async function takeNewIdentity(): Promise<void> {
    const { incarnation } = presence.self()
    identity = createIdentity()
    await identityFile.keep(identity, incarnation)
    driver.become(identity, incarnation)
    publishByMdns()
    log.warn({ id: identity.id }, 'took a new identity')
  }

  const mdns = createMdns(config, interfaces, clock, driver, log)

  /** What is offered is told on both ways. */
  function publishByMdns(): void {
    const { id, name, hostname, version, services } = presence.self()
    mdns?.publish({ id, name, hostname, version, port: config.port, services })
  }

  const catalogue = await Catalogue.open({
    ...config,
    hostname: profile.hostname,
    now: () => clock.now(),
    describe: (content) => {
      driver.describe({ ...profile, ...content })
      publishByMdns()
    },
    notify: (notice) => logCatalogue(log, notice),
  })
  if (told.aborted) {
    await catalogue.close()
    return undefined
  }

  const startedAt = clock.now()
  const station: Station = {
    reader: presence,
    catalogue,
    token: randomBytes(32).toString('base64url'),
    epoch: randomBytes(4).toString('hex'),
    now: () => clock.now(),
    wallClock: (moment) => clock.wallClock(moment),
    onChange: (listener) => driver.onChange(listener),
    describe: () => {
      const { leftOut, faults, dropped } = net.status()
      const stateFault = identityFile.fault ?? catalogue.fault
      return { startedAt, port: config.port, stateDir: config.stateDir, stateFault, leftOut, faults, dropped }
    },
    probe: (id, timeout) => driver.probe(id, timeout),
    query: () => driver.query(),
    mdns,
  }
  const control = new Control(station, { socket: config.socket, http: config.http, log })
  const stop = async () => {
    await Promise.all([driver.stop(), mdns?.stop()])
    await control.close()
    await Promise.all([catalogue.close(), identityFile.close()])
  }
  try {
    await control.listen()
    logNetwork(log, net)
    logChanges(log, driver, presence)
    await driver.start()
    publishByMdns()
    await mdns?.start()
  } catch (error) {
    await stop()
    throw error
  }
  const { id, incarnation, name } = presence.self()
  const { socket, http } = control.listening
  log.info({ id, name, incarnation, fresh: life.fresh, socket, http, port: config.port }, 'ready')

  return { stop }
}

/** As the config file alone describes it: what else there is to tell, the catalogue adds. */
function createPresence(
  config: Config,
  { identity, incarnation }: Life,
  named: Omit<Profile, 'services' | 'attributes'>,
): Presence {
  const { attributes, interval, budget } = config
  const profile: Profile = { ...named, services: config.services.map((service) => ({ ...service })), attributes }
  try {
    return new Presence({ identity, incarnation, profile, interval, budget, random })
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw new BadConfig(`services and attributes cannot be told to others: ${error.message}`)
  }
}

/** Undefined when mDNS is off. */
function createMdns(
  { mdns }: Config,
  interfaces: { include: readonly string[]; exclude: readonly string[] | undefined },
  clock: Clock,
  driver: Driver,
  log: Logger,
): MdnsDriver | undefined {
  if (!mdns) return undefined
  const net = new Net({ ...MDNS, ...interfaces, sharedPort: true })
  const mdnsLog = log.child({ by: 'mdns' })
  logFaults(mdnsLog, net)
  const isSigned = (host: string, saying: Saying) => driver.isSigned(host, saying)
  const mdnsDriver = new MdnsDriver(
    new Mdns({ random, browse: mdns.browse, isConfirmedByBeacon: isSigned }),
    net,
    clock,
    {
      sighted: (sighting) => driver.sight(sighting),
      noticed: (notice) => logMdns(mdnsLog, notice),
      failed: (error) => mdnsLog.error({ err: error }, 'an error while mDNS was handled; the rest goes on'),
    },
  )
  driver.onHostToAsk((hostname) => mdnsDriver.ask(hostname))
  return mdnsDriver
}

import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import type { Logger } from 'pino'
import { createIdentity } from '../core/wire/identity.ts'
import { IdentityFile } from '../io/identity-file.ts'
import { Clock } from '../io/system.ts'
import { VERSION } from '../shared/version.prebuilt.ts'
import type { Config } from './config/config.ts'
import { printableHostName } from './config/defaults.ts'
import type { ControlDependencies } from './control/context.ts'
import { ControlServer } from './control/server.ts'
import { prepareSocket } from './control/socket-file.ts'
import { Discovery } from './discovery.ts'
import { captureConsole, openLog } from './log.ts'
import { logCatalogue, logState } from './log-events.ts'
import { Catalogue } from './services/catalogue.ts'
import { untilShutdown } from './shutdown.ts'

/**
 * Runs the daemon until it has to shut down (see `untilShutdown`), which may also happen while it starts.
 * @throws when it cannot start: BadConfig, StateUnusable, AlreadyRunning, SocketUnusable, HttpInUse, HttpUnusable, TokenUnusable, PortInUse
 * @throws the exception that nothing has caught, if one was the reason for the shutdown
 */
export async function runDaemon(config: Config): Promise<void> {
  const log = await openLog(config)
  captureConsole(log)
  const abort = new AbortController()
  const shutdown = untilShutdown(log).finally(() => abort.abort())
  const started: Started = []
  const stop = async () => {
    for (const end of started.reverse()) await end()
  }
  try {
    await startDaemon(config, log, abort.signal, started)
  } catch (error) {
    await stop()
    throw error
  }
  const { signal, error, finish } = await shutdown
  log.info({ signal }, 'leaving')
  await stop()
  finish()
  if (error) throw error
}

/** The functions that end the parts of the daemon, in the order in which the parts were started. */
type Started = (() => Promise<void>)[]

/** Starts the parts one after the other, and adds each to `started`. Returns early when `abort` fires. */
async function startDaemon(config: Config, log: Logger, abort: AbortSignal, started: Started): Promise<void> {
  const clock = new Clock()
  // First, so that a second daemon stops here, and does not touch the state directory of the one that runs.
  await prepareSocket(config.socket)
  const identityFile = new IdentityFile(config.stateDir, (notice) => logState(log, notice), clock.ticker)
  started.push(() => identityFile.close())
  const loaded = await identityFile.begin()
  if (abort.aborted) return
  let { identity } = loaded
  const peer = { name: config.name, hostname: printableHostName(hostname()), version: VERSION }
  if (peer.hostname !== hostname()) {
    log.warn(
      { hostname: peer.hostname },
      "this machine's host name is too long or has control characters: earshotd publishes it in this form",
    )
  }
  const { port, group4, group6 } = config
  const discovery = new Discovery({
    identity,
    incarnation: loaded.incarnation,
    profile: { ...peer, services: [], attributes: {} },
    interval: config.interval,
    budget: config.budget,
    clock,
    net: { port, group4, group6, include: config.interface, exclude: config.exclude },
    mdns: config.mdns,
    log,
    onNotice: (notice) => {
      if (notice.type === 'identity-taken') void takeNewIdentity()
      if (notice.type === 'incarnation') void identityFile.store(identity, notice.incarnation)
    },
  })
  const { presence, net, driver } = discovery

  async function takeNewIdentity(): Promise<void> {
    const { incarnation } = presence.self()
    identity = createIdentity()
    await identityFile.store(identity, incarnation)
    discovery.become(identity, incarnation)
    log.warn({ id: identity.id }, 'took a new identity')
  }

  const catalogue = await Catalogue.open({
    ...config,
    hostname: peer.hostname,
    now: () => clock.now(),
    ticker: clock.ticker,
    publish: (content) => discovery.publish({ ...peer, ...content }),
    notify: (notice) => logCatalogue(log, notice),
  })
  started.push(() => catalogue.close())
  if (abort.aborted) return

  const startedAt = clock.now()
  const dependencies: ControlDependencies = {
    presence,
    catalogue,
    token: randomBytes(32).toString('base64url'),
    epoch: randomBytes(4).toString('hex'),
    now: () => clock.now(),
    wallClock: (moment) => clock.wallClock(moment),
    onChange: (listener) => driver.onChange(listener),
    describe: () => {
      const { leftOut, faults, dropped } = net.status()
      const stateFault = identityFile.fault ?? catalogue.fault
      return { startedAt, port, stateDir: config.stateDir, stateFault, leftOut, faults, dropped }
    },
    probe: (id, timeout) => driver.probe(id, timeout),
    query: () => driver.query(),
    get mdns() {
      return discovery.mdns
    },
  }
  const control = new ControlServer(dependencies, { socket: config.socket, http: config.http, log })
  started.push(() => control.close())
  await control.listen()
  if (abort.aborted) return
  // Other peers wait for the first beat. So only what could stop the start comes before it: another daemon, and the state.
  started.push(() => discovery.stop())
  await discovery.start()
  await discovery.firstAnswers(abort)
  if (abort.aborted) return
  await discovery.startMdns()
  if (abort.aborted) return
  control.serve()
  const { id, incarnation, name } = presence.self()
  const { socket, http } = control.listening
  log.info({ id, name, incarnation, fresh: loaded.fresh, socket, http, port }, 'ready')
}

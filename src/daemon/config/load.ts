import type { Service } from '../../core/wire/record.ts'
import { parseDuration } from '../../shared/duration.ts'
import { BadConfig, BadService } from '../../shared/errors.ts'
import { type ServiceEntry, serviceOf } from '../services/service-entry.ts'
import { browsedTypes } from './browse.ts'
import { check, labelled, variableOf } from './check.ts'
import type { Config } from './config.ts'
import { defaultName, defaultServicesDir, defaultSocket, defaultStateDir, type Facts } from './defaults.ts'
import { readEnvironment } from './environment.ts'
import { readConfigFile } from './file.ts'
import { isBoolean, isWholeNumber } from './flags.ts'
import { type HttpAddress, readHttpAddress } from './http-address.ts'
import { parseRate } from './rate.ts'
import { DEFAULTS, type Written } from './schema.ts'

/** How a flag or a variable spells a boolean. */
const YES = /^(true|yes|on|1)$/i
const NO = /^(false|no|off|0)$/i

/** A value as it was found, and by whom. */
interface Found {
  value: unknown
  /** `--interval`, `EARSHOT_INTERVAL`, or the file's path. */
  source: string
  /** The key as it is written there, `mdns.browse`. */
  written?: string | undefined
}

/**
 * The settings out of flags (as yargs has parsed them by `daemonOptions`), environment, file and defaults, in this
 * order of precedence. Reads at most one file.
 * @throws BadConfig naming source, key, what was expected and what was found
 */
export function loadConfig(flags: Readonly<Record<string, unknown>>, facts: Facts): Config {
  const { env, uid = -1, home } = facts
  const variables = readEnvironment(env)
  const asked = given('config', flags, variables)
  const file = readConfigFile(asked && { path: String(asked.value), source: asked.source }, { env, uid, home })

  const find = (key: string): Found | undefined =>
    given(key, flags, variables) ??
    (file && Object.hasOwn(file.values, key)
      ? { value: file.values[key], source: file.path, written: file.written.get(key) }
      : undefined)
  const read = <Key extends keyof Written>(key: Key): Written[Key] | undefined => {
    const found = find(key)
    return found && check(key, key === 'http' ? httpText(found.value) : found.value, found.source, found.written)
  }

  const name = read('name') ?? defaultName(facts)
  const logFormat = read('log-format') ?? DEFAULTS['log-format']
  // Checked also where mDNS is off.
  const browse = browsedTypes(read('mdns-browse'))
  const config: Config = {
    name,
    interface: read('interface') ?? [],
    exclude: read('exclude'),
    port: read('port') ?? DEFAULTS.port,
    group4: read('group4') ?? DEFAULTS.group4,
    group6: read('group6') ?? DEFAULTS.group6,
    interval: Number(parseDuration(read('interval') ?? DEFAULTS.interval)),
    budget: Number(parseRate(String(read('budget') ?? DEFAULTS.budget))),
    stateDir: read('state-dir') ?? defaultStateDir(facts),
    servicesDir: read('services-dir') ?? defaultServicesDir(facts),
    socket: read('socket') ?? defaultSocket(facts),
    http: httpAddress(read('http') ?? DEFAULTS.http, find('http')?.source ?? ''),
    mdns: (read('mdns') ?? DEFAULTS.mdns) && { browse },
    logLevel: read('log-level') ?? DEFAULTS['log-level'],
    logFormat: logFormat === 'auto' ? (facts.terminal ? 'pretty' : 'json') : logFormat,
    file: file?.path,
    attributes: read('attributes') ?? {},
    services: services(read('services') ?? [], file?.path ?? '', name),
  }
  return freeze(config)
}

/** What a flag says, else the environment: both spell numbers and booleans as text. */
function given(
  key: string,
  flags: Readonly<Record<string, unknown>>,
  variables: Readonly<Record<string, unknown>>,
): Found | undefined {
  const flag = flags[key]
  if (flag !== undefined) return { value: spelt(key, flag), source: `--${key}` }
  const variable = variables[key]
  return variable === undefined ? undefined : { value: spelt(key, variable), source: variableOf(key) }
}

function spelt(key: string, value: unknown): unknown {
  if (typeof value !== 'string') return value
  if (isBoolean(key) && YES.test(value)) return true
  if (isBoolean(key) && NO.test(value)) return false
  return isWholeNumber(key) && /^\d{1,15}$/.test(value) ? Number(value) : value
}

/** `http` is text; a port and `false` may be written as what they are. */
function httpText(value: unknown): unknown {
  if (value === false || value === 'false' || value === 'no') return 'off'
  return Number.isInteger(value) ? String(value) : value
}

function httpAddress(text: string, source: string): HttpAddress | undefined {
  try {
    return readHttpAddress(text)
  } catch (error) {
    if (!(error instanceof BadConfig)) throw error
    throw new BadConfig(`${labelled(source, 'http')}: ${error.message}`)
  }
}

function services(entries: readonly ServiceEntry[], source: string, name: string): Service[] {
  const taken = new Map<string, number>()
  return entries.map((entry, position) => {
    const at = `${source}: services[${position}]`
    const service = checked(entry, name, at)
    const other = taken.get(service.id)
    if (other !== undefined) {
      throw new BadConfig(`${at}.id: '${service.id}' is the id of services[${other}] too (give each an id of its own)`)
    }
    taken.set(service.id, position)
    return service
  })
}

function checked(entry: ServiceEntry, name: string, at: string): Service {
  try {
    return serviceOf(entry, { name })
  } catch (error) {
    if (!(error instanceof BadService)) throw error
    throw new BadConfig(`${at}.${error.message}`)
  }
}

function freeze<Value>(value: Value): Value {
  if (typeof value === 'object' && value !== null) Object.values(Object.freeze(value)).forEach(freeze)
  return value
}

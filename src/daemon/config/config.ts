import type { Attributes, Service } from '../../core/wire/record-schema.ts'
import type { Validator } from '../../shared/compile-schema.ts'
import { parseDuration } from '../../shared/duration.ts'
import { BadConfig, BadService } from '../../shared/errors.ts'
import { serviceOf } from '../services/service-entry.ts'
import type { ServiceEntry } from '../services/service-schema.ts'
import { describeValidationErrors, dottedPath } from '../services/user-input.ts'
import { DEFAULTS, defaultName, defaultServicesDir, defaultSocket, defaultStateDir, processInfo } from './defaults.ts'
import type { RawSettings } from './schema.ts'
import { validators } from './settings.prebuilt.ts'
import { environmentVariable } from './settings.ts'
import { Sources } from './sources.ts'
import { browseTypes, type HttpAddress, parseHttpAddress, parseRate } from './values.ts'

/** The daemon's settings, checked, and in the units of the program. Deeply frozen. */
export interface Config {
  /** The peer's name. */
  readonly name: string
  /** Patterns of interface names to use; empty: all that `exclude` does not match. */
  readonly interface: readonly string[]
  /** Patterns of interface names to leave out; undefined: the built-in list. */
  readonly exclude: readonly string[] | undefined
  /** UDP port of the beacons. */
  readonly port: number
  readonly group4: string
  readonly group6: string
  /** Time between beacons, ms: 100 to 3600000. */
  readonly interval: number
  /** Beacon traffic of all peers of a segment together, bits per second: 1000 to 1000000000. */
  readonly budget: number
  /** Directory of the state files; created with the first file. */
  readonly stateDir: string
  /** Directories of service files, in order of precedence; they need not exist. */
  readonly servicesDir: readonly string[]
  /** Path of the control API's Unix socket. */
  readonly socket: string
  /** Where the control API listens on loopback; undefined: nowhere. */
  readonly http: Readonly<HttpAddress> | undefined
  /** The service types to browse for by mDNS, such as `_ipp._tcp`, and `*` for all types; false: no mDNS. */
  readonly mdns: false | { readonly browse: readonly string[] }
  readonly logLevel: RawSettings['log-level']
  readonly logFormat: 'pretty' | 'json'
  /** The config file; undefined when there is none. */
  readonly file: string | undefined
  readonly attributes: Readonly<Attributes>
  readonly services: readonly Readonly<Service>[]
}

/**
 * Collects the settings from flags, environment, config file and defaults, in this order of precedence.
 * @param flags as yargs has parsed them by `daemonOptions`
 * @throws BadConfig, which names source, key, what was expected and what was found
 */
export async function loadConfig(flags: Readonly<Record<string, unknown>>, info = processInfo()): Promise<Config> {
  const sources = await Sources.read(flags, info)
  const read = <Key extends keyof RawSettings>(key: Key): RawSettings[Key] | undefined => {
    const found = sources.find(key)
    return (
      found && checkSetting(key, key === 'http' ? httpText(found.value) : found.value, found.source, found.writtenAs)
    )
  }

  const name = read('name') ?? defaultName(info)
  const logFormat = read('log-format') ?? DEFAULTS['log-format']
  // Checked even when mDNS is off.
  const browse = browseTypes(read('mdns-browse'))
  const config: Config = {
    name,
    interface: read('interface') ?? [],
    exclude: read('exclude'),
    port: read('port') ?? DEFAULTS.port,
    group4: read('group4') ?? DEFAULTS.group4,
    group6: read('group6') ?? DEFAULTS.group6,
    interval: Number(parseDuration(read('interval') ?? DEFAULTS.interval)),
    budget: Number(parseRate(String(read('budget') ?? DEFAULTS.budget))),
    stateDir: read('state-dir') ?? defaultStateDir(info),
    servicesDir: read('services-dir') ?? defaultServicesDir(info),
    socket: read('socket') ?? defaultSocket(info),
    http: httpAddress(read('http') ?? DEFAULTS.http, sources.find('http')?.source ?? ''),
    mdns: (read('mdns') ?? DEFAULTS.mdns) && { browse },
    logLevel: read('log-level') ?? DEFAULTS['log-level'],
    logFormat: logFormat === 'auto' ? (info.terminal ? 'pretty' : 'json') : logFormat,
    file: sources.file,
    attributes: read('attributes') ?? {},
    services: parseServices(read('services') ?? [], sources.file ?? '', name),
  }
  return freeze(config)
}

/** The setting `http` is text, but a port may be written as a number, and `off` as `false` or `no`. */
function httpText(value: unknown): unknown {
  if (value === false || value === 'false' || value === 'no') return 'off'
  return Number.isInteger(value) ? String(value) : value
}

function httpAddress(text: string, source: string): HttpAddress | undefined {
  try {
    return parseHttpAddress(text)
  } catch (error) {
    if (!(error instanceof BadConfig)) throw error
    throw new BadConfig(`${errorPrefix(source, 'http')}: ${error.message}`)
  }
}

function parseServices(entries: readonly ServiceEntry[], source: string, name: string): Service[] {
  const taken = new Map<string, number>()
  return entries.map((entry, position) => {
    const at = `${source}: services[${position}]`
    const service = parseService(entry, name, at)
    const other = taken.get(service.id)
    if (other !== undefined) {
      throw new BadConfig(`${at}.id: services[${other}] has the id '${service.id}' too (give each service its own id)`)
    }
    taken.set(service.id, position)
    return service
  })
}

function parseService(entry: ServiceEntry, name: string, at: string): Service {
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

/**
 * Checks a value against the schema of its setting.
 * @param source where the value was found: a file, `EARSHOT_…` or `--…`
 * @param writtenAs how the key is written there
 * @throws BadConfig, which names source, key, what was expected and what was found
 */
function checkSetting<Key extends keyof RawSettings>(
  key: Key,
  value: unknown,
  source: string,
  writtenAs: string = key,
): RawSettings[Key] {
  const validate: Validator<RawSettings[Key]> = validators[key]
  if (validate(value)) return value
  const place = (pointer: string) => errorPrefix(source, writtenAs + dottedPath(pointer))
  throw new BadConfig(describeValidationErrors(validate.errors, place, { expected: validate.expected, value }))
}

/** The source and the key of a value; the source alone when it is the flag or the variable of that key. */
function errorPrefix(source: string, key: string): string {
  // A flag or a variable is named without the index in a list.
  const [setting = key] = key.split('[')
  return source === `--${setting}` || source === environmentVariable(setting) ? source : `${source}: ${key}`
}

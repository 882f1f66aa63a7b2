import { join } from 'node:path'
import { readRegularSync, Unsuitable } from '../../io/files.ts'
import { codeOf } from '../../shared/caught-error.ts'
import { suggestion } from '../../shared/did-you-mean.ts'
import { BadConfig } from '../../shared/errors.ts'
import { parseToml } from '../services/user-input.ts'
import { configHome, type ProcessInfo } from './defaults.ts'
import { tableKeys } from './settings.prebuilt.ts'
import { environmentVariable, isSettingKey, isTableKey, kindOf, SETTING_KEYS } from './settings.ts'

/** Where settings come from: flags, environment variables and the config file. */

const PREFIX = 'EARSHOT_'
const MAX_FILE_BYTES = 1024 * 1024
/** The spellings of a boolean in a flag or a variable. */
const YES = /^(true|yes|on|1)$/i
const NO = /^(false|no|off|0)$/i

/** A setting that was found, not checked yet. */
interface FoundSetting {
  value: unknown
  /** `--interval`, `EARSHOT_INTERVAL`, or the path of the file. */
  source: string
  /** The key as it is written there, such as `mdns.browse`; undefined when it is the setting's own key. */
  writtenAs?: string | undefined
}

/** The content of a config file: known keys, unchecked values. */
interface ConfigFile {
  path: string
  values: Readonly<Record<string, unknown>>
  /** Keys that are written in another form in the file: `mdns-browse` as `mdns.browse`. */
  writtenAs: ReadonlyMap<string, string>
}

/** Finds settings in flags, in the environment, and in one config file, in this order of precedence. */
export class Sources {
  readonly #flags: Readonly<Record<string, unknown>>
  readonly #variables: Readonly<Record<string, unknown>>
  #file: ConfigFile | undefined

  private constructor(flags: Readonly<Record<string, unknown>>, variables: Readonly<Record<string, unknown>>) {
    this.#flags = flags
    this.#variables = variables
  }

  /**
   * Reads the config file: the one that a flag or a variable names, else the first default one that exists.
   * @param flags as yargs has parsed them by `daemonOptions`
   * @throws BadConfig when the file cannot be read or parsed, for an unknown key, and for a misspelt variable
   */
  static async read(
    flags: Readonly<Record<string, unknown>>,
    info: Pick<ProcessInfo, 'env' | 'uid' | 'home'>,
  ): Promise<Sources> {
    const sources = new Sources(flags, readEnvironment(info.env))
    const path = sources.#fromFlagOrVariable('config')
    sources.#file = await (path ? readFile(String(path.value), path.source) : readDefaultFile(info))
    return sources
  }

  /** The path of the config file; undefined when there is none. */
  get file(): string | undefined {
    return this.#file?.path
  }

  find(key: string): FoundSetting | undefined {
    return this.#fromFlagOrVariable(key) ?? this.#fromFile(key)
  }

  #fromFlagOrVariable(key: string): FoundSetting | undefined {
    const flag = this.#flags[key]
    if (flag !== undefined) return { value: fromText(key, flag), source: `--${key}` }
    const variable = this.#variables[key]
    return variable === undefined ? undefined : { value: fromText(key, variable), source: environmentVariable(key) }
  }

  #fromFile(key: string): FoundSetting | undefined {
    if (!this.#file || !Object.hasOwn(this.#file.values, key)) return undefined
    const { values, path, writtenAs } = this.#file
    return { value: values[key], source: path, writtenAs: writtenAs.get(key) }
  }
}

/** Converts the text of a flag or a variable into a boolean or a number, for settings of these types. */
function fromText(key: string, value: unknown): unknown {
  if (typeof value !== 'string') return value
  const kind = kindOf(key)
  if (kind === 'boolean' && YES.test(value)) return true
  if (kind === 'boolean' && NO.test(value)) return false
  return kind === 'integer' && /^\d{1,15}$/.test(value) ? Number(value) : value
}

/**
 * The settings in the environment as texts; lists are split at commas. An empty variable counts as unset.
 * @throws BadConfig for a variable that looks like a misspelt setting
 */
function readEnvironment(env: Readonly<Record<string, string | undefined>>): Record<string, string | string[]> {
  const keys = new Map([...SETTING_KEYS, 'config'].map((key) => [environmentVariable(key), key]))
  const values: Record<string, string | string[]> = {}
  for (const [variable, text] of Object.entries(env)) {
    if (!variable.startsWith(PREFIX) || !text) continue
    const key = keys.get(variable)
    if (key !== undefined) values[key] = kindOf(key) === 'list' ? splitList(text) : text
    else refuseMisspelt(variable, keys.keys())
  }
  return values
}

function splitList(text: string): string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
}

/** Other programs may set variables with this prefix (tests, links of Docker), so only misspelt settings are refused. */
function refuseMisspelt(variable: string, known: Iterable<string>): void {
  const word = variable.slice(PREFIX.length)
  const names = [...known].map((name) => name.slice(PREFIX.length))
  const hint = suggestion(word, names)
  if (hint) throw new BadConfig(`${variable}: unknown variable${hint.replace("'", `'${PREFIX}`)}`)
}

/** Reads the first default file that exists, and no other. */
async function readDefaultFile(info: Pick<ProcessInfo, 'env' | 'uid' | 'home'>): Promise<ConfigFile | undefined> {
  for (const path of defaultFiles(info)) {
    const file = await readFile(path)
    if (file) return file
  }
  return undefined
}

/**
 * @param source the flag or variable that names the file; undefined for a default file, which need not exist
 * @returns undefined when there is no such file
 */
async function readFile(path: string, source?: string): Promise<ConfigFile | undefined> {
  let text: string
  try {
    text = readRegularSync(path, MAX_FILE_BYTES).toString('utf8')
  } catch (error) {
    if (source === undefined && ['ENOENT', 'ENOTDIR'].includes(codeOf(error) ?? '')) return undefined
    throw new BadConfig(`${source ? `${source}: ` : ''}cannot read ${path}: ${reasonOf(error)}`)
  }
  return await parseFile(path, text)
}

/** The default files, in order of precedence. */
function defaultFiles(info: Pick<ProcessInfo, 'env' | 'uid' | 'home'>): string[] {
  const system = '/etc/earshot/earshot.toml'
  const directory = configHome(info)
  return directory ? [join(directory, 'earshot/earshot.toml'), system] : [system]
}

/** @throws BadConfig when it is not TOML, or has an unknown key */
async function parseFile(path: string, text: string): Promise<ConfigFile> {
  const { values, writtenAs } = flatten(await parseToml(text, (line, column) => `${path}:${line}:${column}`))
  for (const key of Object.keys(values)) {
    if (isSettingKey(key) || isTableKey(key)) continue
    const known = [...SETTING_KEYS, ...tableKeys, 'mdns.browse']
    const written = writtenAs.get(key) ?? key
    throw new BadConfig(`${path}: unknown key '${written}'${suggestion(written, known)}`)
  }
  return { path, values, writtenAs }
}

/** A setting that is also the prefix of other settings may be a table of these: `browse` in `[mdns]` is `mdns-browse`. */
function flatten(values: Record<string, unknown>): Omit<ConfigFile, 'path'> {
  const flat: Record<string, unknown> = {}
  const writtenAs = new Map<string, string>()
  for (const [key, value] of Object.entries(values)) {
    const isPrefix = isSettingKey(key) && SETTING_KEYS.some((other) => other.startsWith(`${key}-`))
    if (!isPrefix || !isTable(value)) {
      flat[key] = value
      continue
    }
    for (const [part, partValue] of Object.entries(value)) {
      flat[`${key}-${part}`] = partValue
      writtenAs.set(`${key}-${part}`, `${key}.${part}`)
    }
  }
  return { values: flat, writtenAs }
}

function isTable(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date)
}

function reasonOf(error: unknown): string {
  if (error instanceof Unsuitable) return error.message
  return READ_ERRORS[codeOf(error) ?? ''] ?? String(error)
}

const READ_ERRORS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file',
  EACCES: 'permission denied',
  ENXIO: 'it is not a regular file',
}

import { join } from 'node:path'
import { readRegularSync, Unsuitable } from '../../io/files.ts'
import { codeOf } from '../../shared/caught-error.ts'
import { suggestion } from '../../shared/did-you-mean.ts'
import { BadConfig } from '../../shared/errors.ts'
import { parseToml } from '../services/toml.ts'
import { configHome } from './defaults.ts'
import { isSettingKey, isTableKey, settings, tables } from './schema.ts'

const MOST_BYTES = 1024 * 1024

/** What a config file holds, its keys known, its values unchecked. */
export interface ConfigFile {
  path: string
  values: Readonly<Record<string, unknown>>
  /** How a key is written that is not written as it is: `mdns-browse` is `mdns.browse`. */
  written: ReadonlyMap<string, string>
}

/** What the default places of the file depend on. */
export interface FileFacts {
  env: Readonly<Record<string, string | undefined>>
  uid: number
  home: string | undefined
}

/** The default files in the order in which they are looked for; only the first that exists is read. */
export function defaultFiles({ env, uid, home }: FileFacts): string[] {
  const system = '/etc/earshot/earshot.toml'
  // The system's daemon must not be steered by what lies in root's own home.
  if (uid === 0) return [system]
  const directory = configHome(env, home)
  return directory ? [join(directory, 'earshot/earshot.toml'), system] : [system]
}

/**
 * Reads the file that was asked for (`source` says by what), else the first default one that exists.
 * @throws BadConfig when it cannot be read, is no TOML, or holds an unknown key
 */
export function readConfigFile(
  asked: { path: string; source: string } | undefined,
  facts: FileFacts,
): ConfigFile | undefined {
  if (asked) return { path: asked.path, ...read(asked.path, asked.source) }
  for (const path of defaultFiles(facts)) {
    const found = read(path)
    if (found) return { path, ...found }
  }
  return undefined
}

type Content = Omit<ConfigFile, 'path'>

function read(path: string, source: string): Content
function read(path: string): Content | undefined
function read(path: string, source?: string): Content | undefined {
  let text: string
  try {
    text = readRegularSync(path, MOST_BYTES).toString('utf8')
  } catch (error) {
    const code = codeOf(error)
    if (source === undefined && (code === 'ENOENT' || code === 'ENOTDIR')) return undefined
    throw new BadConfig(`${source ? `${source}: ` : ''}cannot read ${path}: ${faultOf(error)}`)
  }
  const { values, written } = flattened(parseToml(text, (line, column) => `${path}:${line}:${column}`))
  for (const key of Object.keys(values)) {
    if (isSettingKey(key) || isTableKey(key)) continue
    const known = [...Object.keys(settings), ...Object.keys(tables), 'mdns.browse']
    const shown = written.get(key) ?? key
    throw new BadConfig(`${path}: unknown key '${shown}'${suggestion(shown, known)}`)
  }
  return { values, written }
}

/** A setting that has settings of its own may be a table of them: `browse` in `[mdns]` is `mdns-browse`. */
function flattened(values: Record<string, unknown>): Content {
  const flat: Record<string, unknown> = {}
  const written = new Map<string, string>()
  for (const [key, value] of Object.entries(values)) {
    const hasOwn = Object.keys(settings).some((other) => isSettingKey(key) && other.startsWith(`${key}-`))
    if (!hasOwn || !isTable(value)) {
      flat[key] = value
      continue
    }
    for (const [part, one] of Object.entries(value)) {
      flat[`${key}-${part}`] = one
      written.set(`${key}-${part}`, `${key}.${part}`)
    }
  }
  return { values: flat, written }
}

function isTable(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date)
}

function faultOf(error: unknown): string {
  if (error instanceof Unsuitable) return error.message
  return READ_FAULTS[codeOf(error) ?? ''] ?? String(error)
}

const READ_FAULTS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file',
  EACCES: 'permission denied',
  ENXIO: 'it is not a regular file',
}

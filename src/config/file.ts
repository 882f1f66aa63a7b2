import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { BadConfig } from '../errors.ts'
import { configHome } from './defaults.ts'
import { suggestion } from './explain.ts'
import { isSettingKey, isTableKey, settings, tables } from './schema.ts'
import { parseToml } from './toml.ts'

/** What a config file holds, its keys known, its values unchecked. */
export interface ConfigFile {
  path: string
  values: Readonly<Record<string, unknown>>
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
  if (asked) return { path: asked.path, values: read(asked.path, asked.source) }
  for (const path of defaultFiles(facts)) {
    const values = read(path)
    if (values) return { path, values }
  }
  return undefined
}

function read(path: string, source: string): Record<string, unknown>
function read(path: string): Record<string, unknown> | undefined
function read(path: string, source?: string): Record<string, unknown> | undefined {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (source === undefined && (code === 'ENOENT' || code === 'ENOTDIR')) return undefined
    throw new BadConfig(`${source ? `${source}: ` : ''}cannot read ${path}: ${READ_FAULTS[String(code)] ?? error}`)
  }
  const values = parseToml(text, (line, column) => `${path}:${line}:${column}`)
  for (const key of Object.keys(values)) {
    if (isSettingKey(key) || isTableKey(key)) continue
    const known = [...Object.keys(settings), ...Object.keys(tables)]
    throw new BadConfig(`${path}: unknown key '${key}'${suggestion(key, known)}`)
  }
  return values
}

const READ_FAULTS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file',
  EACCES: 'permission denied',
  EISDIR: 'it is a directory',
}

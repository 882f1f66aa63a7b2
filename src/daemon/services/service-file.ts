import { basename, extname } from 'node:path'
import type { Service } from '../../core/wire/record.ts'
import { readRegular, Unsuitable } from '../../io/files.ts'
import { BadService } from '../../shared/errors.ts'
import { readAvahiFile } from './avahi-file.ts'
import { checkEntry } from './check.ts'
import { serviceOf, slug } from './entry.ts'
import { parseToml } from './toml.ts'

const MOST_BYTES = 64 * 1024

/** What service files may refer to. */
export interface FileFacts {
  /** The peer's name, by default also that of its services. */
  name: string
  hostname: string
}

/** Whether a file of this name is read: hidden files and what editors leave beside the real one are not. */
export function isServiceFile(name: string): boolean {
  return /^[^.].*\.(toml|service)$/s.test(name)
}

/**
 * Reads a service file: one service in TOML, or Avahi's XML with several.
 * @throws an error whose message says what is wrong, without the file's name
 */
export async function readServiceFile(path: string, facts: FileFacts): Promise<Service[]> {
  const text = await readText(path)
  const extension = extname(path)
  const base = idOf(basename(path, extension))
  if (extension === '.service') return readAvahiFile(text, base, facts)
  const entry = checkEntry(parseToml(text, (line, column) => `line ${line}, column ${column}`))
  return [serviceOf(entry, { name: facts.name, id: base })]
}

/** A file name as an id: as it is where it can be. */
function idOf(base: string): string {
  return /^[!-~]{1,64}$/.test(base) ? base : slug(base) || 'service'
}

async function readText(path: string): Promise<string> {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(await readRegular(path, MOST_BYTES))
  } catch (error) {
    if (error instanceof Unsuitable) throw new BadService(error.message)
    if (error instanceof TypeError) throw new BadService('it is not UTF-8 text')
    throw error
  }
}

import type { Service } from '../../core/wire/record-schema.ts'
import { BadService } from '../../shared/errors.ts'
import { slug } from '../../shared/service-names.ts'
import type { ServiceEntry } from './service-schema.ts'
import { isEntry } from './services.prebuilt.ts'
import { describeValidationErrors, dottedPath } from './user-input.ts'

/** Characters of a service's id. */
export const MAX_ID_LENGTH = 64

/** Bytes of a TXT string `key=value`, whose length is sent in one byte (RFC 6763, section 6.1). */
const MAX_TXT_BYTES = 255

/** Checks an entry from a service file. @throws BadService, which names the key, what was expected and what was found */
export function checkEntry(value: unknown): ServiceEntry {
  if (isEntry(value)) return value
  const place = (pointer: string) => dottedPath(pointer).replace(/^\./, '')
  throw new BadService(describeValidationErrors(isEntry.errors, place, { expected: isEntry.expected, value }))
}

/** Values for a service that does not set them itself. */
export interface ServiceDefaults {
  /** The peer's name. */
  name: string
  /** Undefined: a slug of the service's name, or else of its type. */
  id?: string | undefined
}

/**
 * Converts an entry into a service of a record: type `http` becomes `_http._tcp`, and defaults are filled in.
 * @throws BadService when `protocol` contradicts a type written in full, two TXT keys differ in case only, or a TXT
 * string is longer than 255 bytes
 */
export function serviceOf(entry: ServiceEntry, defaults: ServiceDefaults): Service {
  const type = fullType(entry)
  refuseDuplicateKeys(Object.keys(entry.txt ?? {}))
  return {
    id: entry.id ?? defaults.id ?? (slug(entry.name ?? '', MAX_ID_LENGTH) || slug(type, MAX_ID_LENGTH)),
    name: entry.name ?? defaults.name,
    type,
    port: entry.port,
    txt: Object.fromEntries(Object.entries(entry.txt ?? {}).map(([key, value]) => [key, txtValue(key, String(value))])),
    subtypes: [...(entry.subtypes ?? [])],
  }
}

function fullType({ type, protocol }: ServiceEntry): string {
  if (!type.startsWith('_')) return `_${type}._${protocol ?? 'tcp'}`
  if (protocol !== undefined && !type.endsWith(`._${protocol}`)) {
    throw new BadService(`protocol: expected the protocol of type '${type}', found "${protocol}"`)
  }
  return type
}

/** TXT keys are compared without regard to case, and the first one wins (RFC 6763, section 6.4). */
function refuseDuplicateKeys(keys: readonly string[]): void {
  const seen = new Map<string, string>()
  for (const key of keys) {
    const other = seen.get(key.toLowerCase())
    if (other !== undefined) {
      throw new BadService(
        `txt.${key}: it differs from txt.${other} in case only, so it is the same key (RFC 6763, section 6.4)`,
      )
    }
    seen.set(key.toLowerCase(), key)
  }
}

function txtValue(key: string, value: string): string {
  const bytes = Buffer.byteLength(`${key}=${value}`)
  if (bytes <= MAX_TXT_BYTES) return value
  throw new BadService(
    `txt.${key}: key, = and value together have ${bytes} bytes, and the limit is ${MAX_TXT_BYTES} (RFC 6763, section 6.1)`,
  )
}

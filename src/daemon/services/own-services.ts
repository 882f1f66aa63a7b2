import { isDeepStrictEqual } from 'node:util'
import { MAX_RECORD_BYTES } from '../../core/wire/messages.ts'
import type { Attributes, Service } from '../../core/wire/record-schema.ts'
import type { StateNotice } from '../../io/state-file.ts'

/** Where a service is registered: only there it can be changed or removed. */
type ServiceSource = 'api' | 'file' | 'config'

/** A service of this peer. */
export interface OwnService extends Service {
  source: ServiceSource
  /** The service file; undefined for other sources. */
  file: string | undefined
  /** The name that the registering program gives itself (its User-Agent); undefined when it gives none, and for other sources. */
  owner?: string | undefined
  /** It was registered without a name, and takes the peer's name, also when that changes. */
  usesPeerName?: boolean | undefined
  /** When it is removed unless renewed, monotonic ms; undefined when it stays. */
  expiresAt: number | undefined
}

/** A service file that cannot be used, and the reason. */
export interface BadFile {
  file: string
  error: string
}

/** A service file as it was last read: its services, or the reason why it cannot be read. */
export type ServiceFile = { file: string } & ({ services: readonly Service[] } | { error: string })

/** The part of a peer's record that the catalogue fills in. */
export interface RecordContent {
  services: Service[]
  attributes: Attributes
}

/** An event for the log, reported once. */
export type CatalogueNotice =
  | { type: 'bad-file'; file: string; error: string }
  | { type: 'good-file'; file: string }
  /** The lease of a service ended, and it was removed. */
  | { type: 'expired'; id: string }
  /** A service or an attribute of an earlier run could not be restored. */
  | { type: 'not-restored'; what: string; reason: string }
  | StateNotice

/** Where a service is registered, in words. */
export function sourceOf({ source, file, owner }: OwnService): string {
  if (source === 'config') return 'the config file'
  return source === 'file' ? `${file}` : `${owner ?? 'a program'} over the API`
}

/** The service as a record carries it. */
export function recordService({ id, name, type, port, txt, subtypes }: Service): Service {
  return { id, name, type, port, txt, subtypes }
}

/** The services of the files that are used, and the files that are not used. */
interface Merged {
  services: OwnService[]
  bad: BadFile[]
}

/**
 * Merges service files, in their order, into one set of ids. A file with an id that is taken is a bad file.
 * @param others the services that do not come from files
 * @param refused files that must not be used, with the reasons
 */
export function mergeFiles(
  others: Iterable<OwnService>,
  files: readonly ServiceFile[],
  refused: ReadonlyMap<string, string>,
): Merged {
  const owners = new Map(Array.from(others, (service) => [service.id, sourceOf(service)]))
  const merged: Merged = { services: [], bad: [] }
  for (const read of files) {
    const { file } = read
    const error = 'error' in read ? read.error : (refused.get(file) ?? idConflict(read.services, owners))
    if (error !== undefined) merged.bad.push({ file, error })
    else if ('services' in read) {
      for (const service of read.services) {
        owners.set(service.id, file)
        merged.services.push({ ...service, source: 'file', file, expiresAt: undefined })
      }
    }
  }
  return merged
}

function idConflict(services: readonly { id: string }[], owners: ReadonlyMap<string, string>): string | undefined {
  for (const { id } of services) {
    const owner = owners.get(id)
    if (owner !== undefined) return `its id '${id}' is taken by ${owner} (give it another id)`
  }
  return undefined
}

/**
 * The files in the order in which to leave them out when the record is too large: first new and changed files, then
 * larger ones, each with the bytes that it takes in the record.
 * @param before the services of files that are published now, by id
 */
export function evictionOrder(
  services: readonly OwnService[],
  before: ReadonlyMap<string, OwnService>,
): (BadFile & { bytes: number })[] {
  const sizes = new Map<string, { bytes: number; isNew: boolean }>()
  for (const service of services) {
    if (service.file === undefined) continue
    const { bytes = 0, isNew = false } = sizes.get(service.file) ?? {}
    sizes.set(service.file, {
      bytes: bytes + Buffer.byteLength(`${JSON.stringify(recordService(service))},`),
      isNew: isNew || !isDeepStrictEqual(before.get(service.id), service),
    })
  }
  const ordered = [...sizes].sort(([, a], [, b]) => Number(b.isNew) - Number(a.isNew) || b.bytes - a.bytes)
  return ordered.map(([file, { bytes }]) => {
    // Leaves out the present size of the record: it changes with every attribute, and the log would repeat the line.
    const error = `the record has no room for its ${bytes} bytes: all services and attributes together may have ${MAX_RECORD_BYTES}`
    return { file, error, bytes }
  })
}

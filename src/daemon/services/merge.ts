import type { Service } from '../../core/wire/record.ts'
import type { BadFile, OwnService, ServiceFile } from './types.ts'

/** What the service files add to the services that are there without them. */
export interface Merged {
  services: OwnService[]
  bad: BadFile[]
}

/**
 * Takes files into one id space: in their order, whole or not at all, and none that has an id of `others`.
 * `refused` are files that are not to be taken, with the reasons.
 */
export function mergeFiles(
  others: Iterable<OwnService>,
  files: readonly ServiceFile[],
  refused: ReadonlyMap<string, string>,
): Merged {
  const owners = new Map(Array.from(others, (service) => [service.id, placeOf(service)]))
  const merged: Merged = { services: [], bad: [] }
  for (const read of files) {
    const { file } = read
    const error = 'error' in read ? read.error : (refused.get(file) ?? clash(read.services, owners))
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

/** Where a service is set, in words. */
export function placeOf({ source, file, owner }: OwnService): string {
  if (source === 'config') return 'the config file'
  return source === 'file' ? `${file}` : `${owner ?? 'a program'} over the API`
}

/** The service as the record carries it. */
export function plain({ id, name, type, port, txt, subtypes }: Service): Service {
  return { id, name, type, port, txt, subtypes }
}

function clash(services: readonly { id: string }[], owners: ReadonlyMap<string, string>): string | undefined {
  for (const { id } of services) {
    const owner = owners.get(id)
    if (owner !== undefined) return `its id '${id}' is taken by ${owner} (give it another id)`
  }
  return undefined
}

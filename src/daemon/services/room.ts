import { isDeepStrictEqual } from 'node:util'
import { MAX_RECORD_BYTES } from '../../core/wire/messages.ts'
import { plain } from './merge.ts'
import type { BadFile, Content, OwnService } from './types.ts'

/**
 * The service files that have to go first where they do not all have room: before others those that did not have it
 * `before` (the files' services then, by id), and then the largest.
 */
export function leastWanted(
  services: readonly OwnService[],
  before: ReadonlyMap<string, OwnService>,
): (BadFile & { bytes: number })[] {
  const wants = new Map<string, { bytes: number; isNew: boolean }>()
  for (const service of services) {
    if (service.file === undefined) continue
    const { bytes = 0, isNew = false } = wants.get(service.file) ?? {}
    wants.set(service.file, {
      bytes: bytes + Buffer.byteLength(JSON.stringify(plain(service))),
      isNew: isNew || !isDeepStrictEqual(before.get(service.id), service),
    })
  }
  const ordered = [...wants].sort(([, a], [, b]) => Number(b.isNew) - Number(a.isNew) || b.bytes - a.bytes)
  return ordered.map(([file, { bytes }]) => {
    // Without the present total, which any attribute changes: the log would be told again each time.
    const error = `the record has no room for its ${bytes} bytes: all services and attributes together may take ${MAX_RECORD_BYTES}`
    return { file, error, bytes }
  })
}

/** By how many bytes services and attributes alone are larger than a record may be; 0 when they are not. */
export function excess({ services, attributes }: Content): number {
  const bytes = Buffer.byteLength(JSON.stringify({ services: services.map(plain), attributes }))
  return Math.max(0, bytes - MAX_RECORD_BYTES)
}

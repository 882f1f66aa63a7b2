import { isDeepStrictEqual } from 'node:util'
import { MAX_RECORD_BYTES } from '../wire/messages.ts'
import { plain } from './merge.ts'
import type { BadFile, OwnService } from './types.ts'

/**
 * The service file that has to go where they do not all have room: if it can be helped not one that had it `before`
 * (the files' services then, by id), and the largest. Undefined when there is no file.
 */
export function leastWanted(
  services: readonly OwnService[],
  before: ReadonlyMap<string, OwnService>,
): BadFile | undefined {
  const wants = new Map<string, { bytes: number; isNew: boolean }>()
  for (const service of services) {
    if (service.file === undefined) continue
    const { bytes = 0, isNew = false } = wants.get(service.file) ?? {}
    wants.set(service.file, {
      bytes: bytes + Buffer.byteLength(JSON.stringify(plain(service))),
      isNew: isNew || !isDeepStrictEqual(before.get(service.id), service),
    })
  }
  const [least] = [...wants].sort(([, a], [, b]) => Number(b.isNew) - Number(a.isNew) || b.bytes - a.bytes)
  if (!least) return undefined
  const [file, { bytes }] = least
  // Without the present total, which any attribute changes: the log would be told again each time.
  const error = `the record has no room for its ${bytes} bytes: all services and attributes together may take ${MAX_RECORD_BYTES}`
  return { file, error }
}

import { BadRequest } from '../../shared/errors.ts'
import type { Station } from './station.ts'

/** Where a reader has got to: behind a change that this run of the daemon has counted, or `elsewhere`: in another run. */
export type Position = { after: number } | 'elsewhere'

/** Reads `INDEX` or `EPOCH-INDEX`; undefined when it is neither. */
export function readPosition(text: string, { epoch, reader }: Station): Position | undefined {
  const [, writtenEpoch = epoch, digits] = /^(?:(.+)-)?(\d{1,15})$/.exec(text) ?? []
  if (digits === undefined) return undefined
  const index = Number(digits)
  // A higher index was counted in another epoch.
  return writtenEpoch === epoch && index <= reader.index ? { after: index } : 'elsewhere'
}

/** Reads the parameter `since`. @throws BadRequest */
export function readSince(text: string, station: Station): Position {
  const position = readPosition(text, station)
  if (!position) throw new BadRequest(`querystring/since must be an index or EPOCH-INDEX, not '${text}'`)
  return position
}

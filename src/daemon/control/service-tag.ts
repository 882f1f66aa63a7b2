import { createHash } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { ServiceHeld } from '../../shared/errors.ts'
import { type OwnService, sourceOf } from '../services/own-services.ts'

/** An own service's entity tag (RFC 9110, section 8.8.3): of what it is and who registered it, not of how long it stays. */
export function serviceTag({ id, name, type, port, txt, subtypes, source, file, owner }: OwnService): string {
  const facts = JSON.stringify([id, name, type, port, txt, subtypes, source, file, owner])
  return `"${createHash('sha256').update(facts).digest('base64url').slice(0, 22)}"`
}

/**
 * Heeds `If-Match` and `If-None-Match` of one who registers or withdraws a service (RFC 9110, sections 13.1.1 and 13.1.2);
 * `held` is the service by this id as it is.
 * @throws ServiceHeld
 */
export function checkPreconditions(headers: IncomingHttpHeaders, id: string, held: OwnService | undefined): void {
  const match = headers['if-match']
  const noneMatch = headers['if-none-match']
  if (match !== undefined && !names(match, held)) {
    throw new ServiceHeld(
      held ? `service '${id}' was meanwhile registered by ${sourceOf(held)}` : `service '${id}' is not registered`,
    )
  }
  if (held && noneMatch !== undefined && names(noneMatch, held)) {
    throw new ServiceHeld(`service '${id}' is registered already, by ${sourceOf(held)} (take another id)`)
  }
}

/** Whether a list of tags names the service as it is. */
export function names(header: string, held: OwnService | undefined): boolean {
  if (!held) return false
  const tags = header.split(',').map((tag) => tag.trim())
  return tags.includes('*') || tags.includes(serviceTag(held))
}

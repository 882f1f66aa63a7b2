import { randomBytes } from 'node:crypto'
import { slug } from '../shared/slug.ts'
import { checkValues } from './values.ts'

/** A service to be offered by this machine's peer. */
export interface ServiceEntry {
  /** Names it to the daemon; 1 to 64 printable ASCII characters, no spaces. Made from name, type and chance unless given. */
  id?: string | undefined
  /** For people; the peer's name unless given. */
  name?: string | undefined
  /** `http`, or in full `_http._tcp`. */
  type: string
  /** For a type that does not say it; tcp unless given. */
  protocol?: 'tcp' | 'udp' | undefined
  port: number
  txt?: Readonly<Record<string, string | number | boolean>> | undefined
  subtypes?: readonly string[] | undefined
  /** It is withdrawn when it was not renewed for this long: ms, from one second to a day. */
  ttl?: number | undefined
}

const MOST_CHARACTERS = 40

/** An id that no other program has: `shop-http-3f9a0c1e`. Two that publish the same do not end each other's. */
export function idFor({ name = '', type }: ServiceEntry): string {
  const words = `${name} ${type.replace(/\._(tcp|udp)$/, '')}`
  return `${slug(words, MOST_CHARACTERS)}-${randomBytes(4).toString('hex')}`
}

/**
 * What is sent to the daemon: its ttl is a duration written out.
 * @throws TypeError when a value of `txt` is none
 */
export function entryBody({ id: _id, ttl, ...entry }: ServiceEntry): object {
  checkValues('txt', entry.txt ?? {})
  return { ...entry, ...(ttl !== undefined && { ttl: `${ttl}ms` }) }
}

/** Where a service of this id is registered. */
export function entryPath(id: string): string {
  return `/v1/services/${encodeURIComponent(id)}`
}

import type { OfferedService, Peer, Service } from '../client/index.ts'
import type { Address } from '../client/resolve.ts'
import { isLinkLocal } from '../shared/link-local.ts'

/** What is needed of whoever offers a service. */
type Offerer = Pick<Peer, 'hostname' | 'addresses'>

export interface Offer {
  service: OfferedService
  peer: Offerer
}

const DOMAIN = 'local'
const PROTOCOLS: Readonly<Record<Address['family'], string>> = { ipv4: 'IPv4', ipv6: 'IPv6' }

/**
 * Services in the very lines of `avahi-browse -rpk`: a `+` line for each interface and protocol on which one can be reached,
 * then the same with `=` and host, address, port, TXT. Whatever a name or a TXT value holds, a service is these lines and
 * no others.
 */
export function avahiLines(offers: readonly Offer[]): string[] {
  const found = offers.flatMap(({ service, peer }) =>
    ways(service.addresses ?? peer.addresses).map((way) => {
      const browsed = [
        label(way.interface),
        PROTOCOLS[way.family],
        label(service.name),
        type(service.type),
        DOMAIN,
      ].join(';')
      const resolved = [host(peer.hostname), plainAddress(way.address), service.port, txt(service.txt)].join(';')
      return { came: `+;${browsed}`, resolved: `=;${browsed};${resolved}` }
    }),
  )
  return [...found.map(({ came }) => came), ...found.map(({ resolved }) => resolved)]
}

/** As Avahi resolves: one address for each interface and protocol, a link-local one only where there is no other. */
function ways(addresses: readonly Address[]): Address[] {
  const best = new Map<string, Address>()
  for (const address of addresses) {
    const key = `${address.family} ${address.interface}`
    const held = best.get(key)
    if (!held || (isLinkLocal(held.address) && !isLinkLocal(address.address))) best.set(key, address)
  }
  return [...best.values()]
}

/** Avahi names the interface in a field of its own, and no zone. */
function plainAddress(address: string): string {
  return address.replace(/%.*$/, '').replace(/[^0-9a-fA-F:.]/g, '')
}

/** Avahi's `avahi_escape_label`: letters, digits, `-` and `_` as they are, `.` and `\` after a backslash, else `\DDD` a byte. */
function label(text: string): string {
  return escaped(text, /[A-Za-z0-9_-]/, /[.\\]/)
}

function host(name: string): string {
  return escaped(name, /[A-Za-z0-9_.-]/, /\\/)
}

function type(text: string): string {
  return escaped(text, /[A-Za-z0-9_.-]/, /\\/)
}

/**
 * `"k2=v2" "k=v"`: the last comes first, as Avahi 0.8 hands them on. It printed these as they came until a line break in
 * one could forge a line (avahi#144): quotes and backslashes get a backslash, what is not ASCII that prints is `\DDD` a byte.
 */
function txt(pairs: Service['txt']): string {
  return Object.entries(pairs)
    .reverse()
    .map(([key, value]) => `"${escaped(`${key}=${value}`, /[ -~]/, /["\\]/)}"`)
    .join(' ')
}

/** `marked` characters after a backslash, `plain` ones as they are, the others as the decimal bytes of their UTF-8. */
function escaped(text: string, plain: RegExp, marked: RegExp): string {
  return [...text]
    .map((character) => {
      if (marked.test(character)) return `\\${character}`
      if (plain.test(character)) return character
      return [...Buffer.from(character)].map((byte) => `\\${String(byte).padStart(3, '0')}`).join('')
    })
    .join('')
}

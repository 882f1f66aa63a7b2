/** A label has 63 bytes at most (RFC 1035, section 2.3.4), the underscore that it begins with among them. */
const TYPE = /^_?([a-z0-9_-]{1,62})(?:(?:\/|\._)(tcp|udp))?$/

/** What a service type may be, for the error that tells of one that is none. */
export const SERVICE_TYPE_CHARACTERS = 'at most 62 letters, digits, - and _'

/**
 * The type of services that are looked for, as people write it, taken apart in lower case: `ipp` has no protocol,
 * `osc/udp` and `_osc._udp` are one. Undefined when it is none. Others have types with underscores and of more than
 * 15 characters (`_androidtvremote2._tcp`), which RFC 6335, section 5.1, forbids and earshot does not publish.
 */
export function readServiceType(text: string): { name: string; protocol: string | undefined } | undefined {
  const [, name, protocol] = TYPE.exec(text.toLowerCase()) ?? []
  return name === undefined ? undefined : { name, protocol }
}

/** The DNS-SD types that a person means: `http` is `_http._tcp` and `_http._udp`. None when it is no type. */
export function dnsTypes(text: string): string[] {
  const { name, protocol } = readServiceType(text) ?? {}
  if (name === undefined) return []
  return protocol === undefined ? [`_${name}._tcp`, `_${name}._udp`] : [`_${name}._${protocol}`]
}

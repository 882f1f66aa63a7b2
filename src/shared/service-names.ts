/** Service types as people write them, and ids made from names. */

/** A DNS label has at most 63 bytes (RFC 1035, section 2.3.4), including the leading underscore. */
const TYPE = /^_?([a-z0-9_-]{1,62})(?:(?:\/|\._)(tcp|udp))?$/

/** Describes a valid service type name, for error messages. */
export const SERVICE_TYPE_CHARACTERS = 'at most 62 letters, digits, - and _'

/**
 * Splits a service type into its name and protocol, both in lower case. `ipp` has no protocol; `osc/udp` and `_osc._udp`
 * are the same. Undefined when the text is no service type.
 *
 * This is the loose form, for filters: other programs publish types with underscores and with more than 15 characters
 * (`_androidtvremote2._tcp`), which RFC 6335, section 5.1, forbids and which earshot does not publish itself.
 */
export function parseServiceType(text: string): { name: string; protocol: string | undefined } | undefined {
  const [, name, protocol] = TYPE.exec(text.toLowerCase()) ?? []
  return name === undefined ? undefined : { name, protocol }
}

/**
 * The DNS-SD types that a filter matches: `http` matches `_http._tcp` and `_http._udp`. Empty when the text is no service
 * type.
 */
export function dnsTypes(text: string): string[] {
  const { name, protocol } = parseServiceType(text) ?? {}
  if (name === undefined) return []
  return protocol === undefined ? [`_${name}._tcp`, `_${name}._udp`] : [`_${name}._${protocol}`]
}

/**
 * Makes an id from a text: in lower case, without accents, with one hyphen for each run of characters that are not ASCII
 * letters or digits. Empty when the text has neither letters nor digits.
 * @param maxLength the most characters of the id
 */
export function slug(text: string, maxLength: number): string {
  return text
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, maxLength)
    .replace(/^-|-$/g, '')
}

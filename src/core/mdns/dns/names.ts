/** The name whose PTR records tell which service types there are (RFC 6763, section 9). */
export const SERVICE_TYPES = '_services._dns-sd._udp.local'

/** The service type under which an earshotd publishes itself. */
export const OWN_TYPE = '_earshot._udp'

/** The most bytes of one label (RFC 1035, section 2.3.4). */
const MAX_LABEL_BYTES = 63

const INSTANCE = /^(.+)\.(_[^.]+\._(?:tcp|udp))\.local$/is

/** A subtype's name, or that of the service types: neither is an instance (RFC 6763, sections 7.1 and 9). */
const NOT_AN_INSTANCE = /^(?:_[^.]+\._sub\..+|_services\._dns-sd\._udp\.local)$/is

/** A name as a key of maps: equal for names that are the same, which ASCII case does not tell apart (RFC 4343). */
export function nameKey(name: string): string {
  return name.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())
}

export function sameName(a: string, b: string): boolean {
  return a === b || nameKey(a) === nameKey(b)
}

/** `Office` and `_ipp._tcp` make `Office._ipp._tcp.local`. */
export function instanceName(instance: string, type: string): string {
  return `${instance}.${type}.local`
}

/** `_IPP._tcp.local` is of the type `_ipp._tcp`. */
export function serviceTypeOf(name: string): string {
  return nameKey(name).replace(/\.local$/, '')
}

/**
 * Takes an instance's full name apart, from the right, as the instance may hold dots. The type comes in lower case.
 * Undefined when it is no instance's name.
 */
export function splitInstance(name: string): { instance: string; type: string } | undefined {
  if (NOT_AN_INSTANCE.test(name)) return undefined
  const [, instance, type] = INSTANCE.exec(name) ?? []
  return instance === undefined || type === undefined ? undefined : { instance, type: nameKey(type) }
}

/** As much of a text as fits a DNS label: 63 bytes of UTF-8, cut between characters. */
export function truncateLabel(text: string): string {
  return truncate(text, MAX_LABEL_BYTES)
}

/** The name that is tried after a conflict: `Office (2)`, cut in front of the number to fit a label. */
export function numberedLabel(name: string, n: number): string {
  const number = ` (${n})`
  return truncate(name, MAX_LABEL_BYTES - number.length) + number
}

function truncate(text: string, most: number): string {
  let bytes = 0
  let end = 0
  for (const character of text) {
    bytes += Buffer.byteLength(character)
    if (bytes > most) return text.slice(0, end)
    end += character.length
  }
  return text
}

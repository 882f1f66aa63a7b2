/** What a record can hold (docs/PROTOCOL.md, section 9). */
const MOST_CHARACTERS = 255

/**
 * A host name as others may be told it. Machines have host names with a line feed at the end, which a script wrote: a
 * record with a control character in it would be refused by everyone.
 */
export function shownHostName(hostname: string): string {
  return [...hostname.replace(/[\p{Cc}\p{Cs}]/gu, '')].slice(0, MOST_CHARACTERS).join('')
}

/** The id of a peer: 16 bytes, written as 26 characters of lower-case base32 without padding (RFC 4648). */
export type PeerId = string & { readonly __brand: 'PeerId' }

export const ID_BYTES = 16

/** How many characters of an id are shown to people. */
export const SHOWN_ID_CHARACTERS = 8

const ID_PATTERN = /^[a-z2-7]{26}$/

/** Whether a text is a whole peer id. */
export function isPeerId(text: string): text is PeerId {
  return ID_PATTERN.test(text)
}

/** The start of an id, to show to people. A text that is no id, such as the host name of an mDNS host, stays as it is. */
export function shortId(id: string): string {
  return isPeerId(id) ? id.slice(0, SHOWN_ID_CHARACTERS) : id
}

/**
 * A value as JSON that every parser reads. `JSON.stringify` escapes half of a surrogate pair, which is no Unicode: many
 * parsers refuse the whole text for it. It becomes U+FFFD here. Keys are taken to be well-formed.
 */
export function writeJson(value: unknown): string {
  const text = JSON.stringify(value)
  // Only such halves are escaped so; a text may hold the escape itself, and is then looked at in vain.
  if (!text.includes('\\ud')) return text
  return JSON.stringify(value, (_key, part: unknown) => (typeof part === 'string' ? wellFormed(part) : part))
}

/** As `String.prototype.toWellFormed` of ES2024. */
function wellFormed(text: string): string {
  return text.replace(/\p{Cs}/gu, '\ufffd')
}

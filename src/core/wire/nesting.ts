/** Objects and arrays within one another that JSON from outside may have, the outermost one included. */
export const MAX_NESTING = 32

const [QUOTE, BACKSLASH, OPEN_BRACE, CLOSE_BRACE, OPEN_BRACKET, CLOSE_BRACKET] = Buffer.from('"\\{}[]')

/**
 * Whether JSON text in UTF-8 has more than `most` objects and arrays within one another. For what is no JSON the answer
 * means nothing. Parsers and writers of JSON may call themselves for each level: no deep text is to reach them.
 */
export function isNestedDeeper(text: Uint8Array, most: number): boolean {
  let depth = 0
  let inString = false
  for (let at = 0; at < text.length; at++) {
    const byte = text[at]
    if (byte === QUOTE) inString = !inString
    else if (inString) at += byte === BACKSLASH ? 1 : 0
    else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth++
    else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) depth--
    if (depth > most) return true
  }
  return false
}

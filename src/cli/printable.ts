/**
 * What would move the cursor, colour the screen, start a new line, or turn the order of letters around: control
 * characters (C0, C1 and DEL), line and paragraph separators, bidirectional controls, invisible spaces, lone surrogates.
 */
const UNPRINTABLE = /[\p{Cc}\p{Cs}\p{Bidi_Control}\p{Zl}\p{Zp}\u200b\u2060\ufeff]/gu

/** Text from the network, fit for a terminal and for one line: what is not printable becomes `\x1b` or `\u{202e}`. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (character) => {
    const code = character.codePointAt(0) ?? 0
    const hex = code.toString(16)
    return code <= 0xff ? `\\x${hex.padStart(2, '0')}` : `\\u{${hex}}`
  })
}

/** JSON that means exactly the value, with nothing in it that a terminal would obey. */
export function printableJson(value: unknown, indent?: number): string {
  const text = JSON.stringify(value, null, indent)
  // JSON itself escapes C0 within strings; the line breaks that remain are its own.
  return text.replace(UNPRINTABLE, (character) =>
    character === '\n' ? character : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

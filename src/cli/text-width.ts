import { stripVTControlCharacters } from 'node:util'

/**
 * Widths of text in columns of the terminal. The tables of the widths of all characters take longer to load than a command takes
 * for everything else, so only text that needs them loads them: most names have one column for each character.
 */

/** ASCII, Latin letters, and the dashes and quotation marks of messages. */
const SINGLE_COLUMNS = /^[ -~\u00a1-\u00ac\u00ae-\u02ff\u2013-\u2026]*$/
/** No character has more columns. */
const WIDEST = 2

let tables: typeof import('./character-tables.ts') | undefined

/** Loads the tables if one of these values needs them to be shown. Without them, widths may be too large, but never too small. */
export async function loadWidths(...values: readonly unknown[]): Promise<void> {
  if (!tables && !isSingle(JSON.stringify(values))) tables = await import('./character-tables.ts')
}

/** The number of columns that a line takes. Colours take none. */
export function widthOf(text: string): number {
  const shown = stripVTControlCharacters(text)
  if (isSingle(shown)) return shown.length
  return tables ? tables.stringWidth(text) : WIDEST * [...shown].length
}

/** A line cut to a width, with `…` at its end if anything is missing. */
export function cut(text: string, width: number): string {
  if (widthOf(text) <= width) return text
  if (width < 1) return ''
  if (!tables) return cutEvenly(text, width)
  const shorter = tables.cliTruncate(text, width)
  // cli-truncate may keep a character of two columns where one is left.
  return widthOf(shorter) <= width ? shorter : tables.cliTruncate(text, width - 1)
}

/** Cuts a line of which all characters count the same, as in `widthOf` without tables. Keeps all colours, so that they end as well. */
function cutEvenly(text: string, width: number): string {
  const each = isSingle(stripVTControlCharacters(text)) ? 1 : WIDEST
  let left = Math.floor((width - 1) / each)
  let isCut = false
  // The control sequence of a colour (ECMA-48, section 8.3.117), or a character. Printable text has no other control characters.
  return text.replace(/\p{Cc}\[[\d;]*m|./gsu, (part) => {
    // A character has one or two code units, a colour more.
    if (part.length > 2 || left-- > 0) return part
    const end = isCut ? '' : '…'
    isCut = true
    return end
  })
}

function isSingle(text: string): boolean {
  return SINGLE_COLUMNS.test(text)
}

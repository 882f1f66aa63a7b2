import pretty from 'pino-pretty'

const prettify = pretty.prettyFactory({
  ignore: 'pid,hostname',
  translateTime: 'SYS:HH:MM:ss.l',
  singleLine: true,
})

/** Formats a line of JSON for a terminal. Text from the network cannot move the cursor or reverse the text direction. */
export function prettyLine(line: string): string {
  return prettify(escapeStrings(JSON.parse(line)))
}

function escapeStrings(value: unknown, key = ''): unknown {
  if (typeof value === 'string') {
    // Keeps the line breaks of a stack trace.
    return key === 'stack' ? value.split('\n').map(escapeInvisible).join('\n') : escapeInvisible(value)
  }
  if (Array.isArray(value)) return value.map((item) => escapeStrings(item))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [escapeInvisible(name), escapeStrings(item, name)]),
  )
}

/** Escapes control and format characters, line separators and lone surrogates, as in `\u{202e}`. */
function escapeInvisible(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (character) => {
    return `\\u{${character.codePointAt(0)?.toString(16)}}`
  })
}

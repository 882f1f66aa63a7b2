import { parse, TomlError } from 'smol-toml'
import { BadConfig } from '../../shared/errors.ts'

/**
 * Parses TOML. `place` writes a line and a column, both counted from 1.
 * @throws BadConfig with the place and the reason
 */
export function parseToml(text: string, place: (line: number, column: number) => string): Record<string, unknown> {
  try {
    return parse(text, { unsafeKeyBehaviour: 'throw' })
  } catch (error) {
    if (!(error instanceof TomlError)) throw error
    const [reason = ''] = error.message.replace('Invalid TOML document: ', '').split('\n')
    throw new BadConfig(`${place(error.line, error.column)}: ${reason}`)
  }
}

import { suggestion } from '../../shared/did-you-mean.ts'
import { BadConfig } from '../../shared/errors.ts'
import { variableOf } from './check.ts'
import { isList } from './flags.ts'
import { settings } from './schema.ts'

const PREFIX = 'EARSHOT_'

/**
 * The settings of the environment as texts, lists split at commas. An empty variable counts as unset.
 * @throws BadConfig for a variable that looks like a setting misspelt
 */
export function readEnvironment(env: Readonly<Record<string, string | undefined>>): Record<string, string | string[]> {
  const keys = new Map([...Object.keys(settings), 'config'].map((key) => [variableOf(key), key]))
  const values: Record<string, string | string[]> = {}
  for (const [variable, text] of Object.entries(env)) {
    if (!variable.startsWith(PREFIX) || !text) continue
    const key = keys.get(variable)
    if (key !== undefined) values[key] = isList(key) ? splitList(text) : text
    else refuseMisspelt(variable, keys.keys())
  }
  return values
}

function splitList(text: string): string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
}

/** Others may put variables beginning so into the environment (tests, Docker's links): only what is near a setting is refused. */
function refuseMisspelt(variable: string, known: Iterable<string>): void {
  const word = variable.slice(PREFIX.length)
  const names = [...known].map((name) => name.slice(PREFIX.length))
  const hint = suggestion(word, names)
  if (hint) throw new BadConfig(`${variable}: unknown variable${hint.replace("'", `'${PREFIX}`)}`)
}

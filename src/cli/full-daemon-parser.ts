import yargs, { type Options } from 'yargs'
import { PARSING } from '../shared/flags.ts'
import { VERSION } from '../shared/version.prebuilt.ts'
import { usageError } from './errors.ts'
import { exitOnWriteError } from './write-errors.ts'

/**
 * Parses the command line of `earshotd` with yargs: with help, and errors for each wrong word. Undefined if it asked for help or for
 * the version, which is printed.
 * @param options the flags
 * @param width the width of the help text, columns; null: no limit
 * @throws UsageError
 */
export async function parseDaemonFlags(
  argv: readonly string[],
  options: Readonly<Record<string, Options>>,
  width: number | null,
): Promise<Record<string, unknown> | undefined> {
  let isHelp = false
  const known = { commands: [], flags: [...Object.keys(options), 'help', 'version'] }
  const flags = await yargs([...argv])
    .scriptName('earshotd')
    .usage('$0 [FLAGS]\n\nThe earshot daemon. Every flag also as EARSHOT_… and in the config file.')
    .locale('en')
    // `--no-mdns` is `--mdns off`.
    .parserConfiguration({ ...PARSING, 'boolean-negation': true })
    .options(options)
    .strict()
    .alias('help', 'h')
    .version(VERSION)
    .exitProcess(false)
    .wrap(width)
    .fail((message, error) => {
      throw error && !message ? error : usageError(message, argv, known, 'earshotd')
    })
    .parseAsync(argv, {}, (_error, _parsed, text) => {
      if (text) {
        isHelp = true
        exitOnWriteError('earshotd')
        process.stdout.write(`${text}\n`)
      }
    })
  return isHelp ? undefined : flags
}

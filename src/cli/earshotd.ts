import yargs from 'yargs'
import { hideBin } from 'yargs/helpers'
import { type Config, loadConfig } from '../daemon/config/config.ts'
import { daemonOptions } from '../daemon/config/schema.ts'
import { LineOutput } from '../daemon/line-output.ts'
import { PARSING } from '../shared/flags.ts'
import { VERSION } from '../shared/version.ts'
import { EXIT, errorText, exitStatus, usageError } from './errors.ts'

/** The program `earshotd`: parses the flags, loads the configuration and runs the daemon until a signal stops it. */

async function readConfig(argv: readonly string[]): Promise<Config | undefined> {
  let isHelp = false
  const known = { commands: [], flags: [...Object.keys(daemonOptions), 'help', 'version'] }
  const flags = await yargs([...argv])
    .scriptName('earshotd')
    .usage('$0 [FLAGS]\n\nThe earshot daemon. Every flag also as EARSHOT_… and in the config file.')
    .locale('en')
    .parserConfiguration(PARSING)
    .options(daemonOptions)
    .strict()
    .alias('help', 'h')
    .version(VERSION)
    .exitProcess(false)
    .wrap(process.stdout.isTTY ? process.stdout.columns : null)
    .fail((message, error) => {
      throw error && !message ? error : usageError(message, argv, known, 'earshotd')
    })
    .parseAsync(argv, {}, (_error, _parsed, text) => {
      if (text) {
        isHelp = true
        process.stdout.write(`${text}\n`)
      }
    })
  return isHelp ? undefined : loadConfig(flags)
}

try {
  const config = await readConfig(hideBin(process.argv))
  if (config) {
    const { runDaemon } = await import('../daemon/daemon.ts')
    await runDaemon(config)
  }
} catch (error) {
  // process.stderr would block while the terminal is paused (Ctrl-S).
  new LineOutput(2).write(`earshotd: ${errorText(error)}\n`)
  process.exitCode = exitStatus(error) === EXIT.usage ? EXIT.usage : EXIT.failed
}

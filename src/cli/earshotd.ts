import yargs from 'yargs'
import { hideBin } from 'yargs/helpers'
import { type Config, daemonOptions, factsOfProcess, loadConfig } from '../daemon/config/index.ts'
import { LineOutput } from '../daemon/line-output.ts'
import { PARSING } from '../shared/flags.ts'
import { VERSION } from '../shared/version.ts'
import { EXIT, exitStatus, sentence, usageError } from './failure.ts'

/** The command `earshotd`: parses, checks the settings, runs the daemon until it is told to stop. */

async function readConfig(argv: readonly string[]): Promise<Config | undefined> {
  let wantsText = false
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
        wantsText = true
        process.stdout.write(`${text}\n`)
      }
    })
  return wantsText ? undefined : loadConfig(flags, factsOfProcess())
}

try {
  const config = await readConfig(hideBin(process.argv))
  if (config) {
    const { runDaemon } = await import('../daemon/daemon.ts')
    await runDaemon(config)
  }
} catch (error) {
  // Not by Node's own stream, which waits for a paused terminal.
  new LineOutput(2).write(`earshotd: ${sentence(error)}\n`)
  process.exitCode = exitStatus(error) === EXIT.usage ? EXIT.usage : 1
}

import type { Config } from '../daemon/config/config.ts'
import { daemonOptions } from '../daemon/config/settings.ts'
import { LineOutput } from '../daemon/line-output.ts'
import { VERSION } from '../shared/version.prebuilt.ts'
import { EXIT, errorText, exitStatus } from './errors.ts'
import { parseQuickly } from './quick-parser.ts'
import { exitOnWriteError } from './write-errors.ts'

/** The program `earshotd`: parses the flags, loads the configuration and runs the daemon until a signal stops it. */

/** Undefined if the command line asked for help or for the version, which is printed. */
async function readConfig(argv: readonly string[]): Promise<Config | undefined> {
  if (argv.length === 1 && argv[0] === '--version') {
    exitOnWriteError('earshotd')
    process.stdout.write(`${VERSION}\n`)
    return undefined
  }
  const flags = (await parseQuickly(argv, { flags: daemonOptions })) ?? (await parseFully(argv))
  if (!flags) return undefined
  const { loadConfig } = await import('../daemon/config/config.ts')
  return await loadConfig(flags)
}

async function parseFully(argv: readonly string[]): Promise<Record<string, unknown> | undefined> {
  const { parseDaemonFlags } = await import('./full-daemon-parser.ts')
  return await parseDaemonFlags(argv, daemonOptions, process.stdout.isTTY ? process.stdout.columns : null)
}

async function main(argv: readonly string[]): Promise<void> {
  try {
    const config = await readConfig(argv)
    if (config) {
      const { runDaemon } = await import('../daemon/daemon.ts')
      await runDaemon(config)
    }
  } catch (error) {
    // process.stderr would block while the terminal is paused (Ctrl-S).
    new LineOutput(2).write(`earshotd: ${errorText(error)}\n`)
    process.exitCode = exitStatus(error) === EXIT.usage ? EXIT.usage : EXIT.failed
  }
}

void main(process.argv.slice(2))

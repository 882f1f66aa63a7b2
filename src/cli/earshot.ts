import { VERSION } from '../shared/version.prebuilt.ts'
import { exitOnWriteError } from './write-errors.ts'

/** The program `earshot`. Answers at once what needs no daemon, and loads the rest only for other command lines. */

const HELP_FLAGS = ['--help', '-h']
/** The width of the prepared help on a terminal, columns. */
const HELP_WIDTH = 80

async function main(words: readonly string[]): Promise<void> {
  exitOnWriteError('earshot')
  const text = await preparedText(words)
  if (text !== undefined) {
    process.stdout.write(`${text}\n`)
    return
  }
  const { runEarshot } = await import('./run.ts')
  await runEarshot(words)
}

/** The version, the help of a command, or a completion script; undefined if the words ask for something else. */
async function preparedText(words: readonly string[]): Promise<string | undefined> {
  const [first = '', second] = words
  if (words.length === 1 && first === '--version') return VERSION
  const isHelp = words.length <= 2 && HELP_FLAGS.includes(second ?? first)
  const { isTTY, columns } = process.stdout
  if (isHelp && (!isTTY || columns >= HELP_WIDTH)) {
    const { help } = await import('./help.prebuilt.ts')
    return help[second === undefined ? '' : first]?.[isTTY ? 'terminal' : 'pipe']
  }
  if (words.length === 1 && first === 'completion') {
    const { completionScripts } = await import('./help.prebuilt.ts')
    const { SHELL = '', ZSH_NAME = '' } = process.env
    return completionScripts[SHELL.includes('zsh') || ZSH_NAME.includes('zsh') ? 'zsh' : 'bash']
  }
  return undefined
}

void main(process.argv.slice(2))

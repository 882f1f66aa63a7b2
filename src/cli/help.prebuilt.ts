import { COMMANDS } from './commands.ts'
import { textOf } from './full-parser.ts'

/** What yargs writes for `--help` and `completion`, prepared so that neither has to load it. */

export interface Help {
  /** Without line breaks in a sentence. */
  pipe: string
  /** For 80 columns. */
  terminal: string
}

/** By the name of the command; '' for the help of `earshot`. */
export const help: Readonly<Record<string, Help>> = Object.fromEntries(
  await Promise.all(['', ...Object.keys(COMMANDS)].map(async (name) => [name, await helpOf(name)])),
)

export const completionScripts = { bash: await completionScript('/bin/bash'), zsh: await completionScript('/bin/zsh') }

async function helpOf(name: string): Promise<Help> {
  const words = name === '' ? ['--help'] : [name, '--help']
  return { pipe: await textOf(words, null), terminal: await textOf(words, 80) }
}

async function completionScript(shell: string): Promise<string> {
  const { SHELL, ZSH_NAME } = process.env
  process.env['SHELL'] = shell
  delete process.env['ZSH_NAME']
  const text = await textOf(['completion'], null)
  if (SHELL === undefined) delete process.env['SHELL']
  else process.env['SHELL'] = SHELL
  if (ZSH_NAME !== undefined) process.env['ZSH_NAME'] = ZSH_NAME
  return text
}

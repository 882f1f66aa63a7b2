import type { CommandModule, Options } from 'yargs'
import type { Earshot } from '../client/index.ts'
import type { Output } from './output.ts'

/** What every command is given. */
export interface Context {
  output: Output
  /** The daemon to ask: the one named by `--socket`, else the one that is found. */
  daemon(options: GlobalOptions): Earshot
  /** Aborted when the user has had enough (SIGINT, SIGTERM). */
  signal: AbortSignal
  /** ms since 1970. */
  now(): number
}

/** What every command understands. */
export interface GlobalOptions {
  socket?: string | undefined
  json?: boolean | undefined
}

/** A command of `earshot`. */
export interface Command<Arguments> extends CommandModule<GlobalOptions, Arguments> {
  /** Its flags, where `builder` is a function: a misspelt one is told the nearest. */
  flags?: Readonly<Record<string, Options>>
}

/** The command line makes no sense: exit status 2. */
export class Usage extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'Usage'
  }
}

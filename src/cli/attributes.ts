import type { Command, Context, GlobalOptions } from './command.ts'
import { printableJson } from './printable.ts'
import { readPair, readValue } from './values.ts'

interface SetOptions extends GlobalOptions {
  pairs: string[]
}

interface UnsetOptions extends GlobalOptions {
  keys: string[]
}

/** `earshot set KEY=VALUE…`: what this peer says of itself. */
export function setCommand(context: Context): Command<SetOptions> {
  return {
    command: 'set <pairs..>',
    describe: "Set this machine's attributes: status=idle temperature=21.5",
    builder: (yargs) =>
      yargs.positional('pairs', {
        type: 'string',
        array: true,
        demandOption: true,
        describe: 'KEY=VALUE; true, false and numbers are taken as such, "true" and "5" in quotes as text',
      }),
    handler: async (options) => {
      const values = options.pairs.map((text) => {
        const [key, value] = readPair('set', text)
        return [key, readValue(value)] as const
      })
      const attributes = await context.daemon(options).set(Object.fromEntries(values), { signal: context.signal })
      if (options.json) await context.output.write(printableJson({ attributes }, 2))
    },
  }
}

/** `earshot unset KEY…`. */
export function unsetCommand(context: Context): Command<UnsetOptions> {
  return {
    command: 'unset <keys..>',
    describe: "Remove some of this machine's attributes",
    builder: (yargs) =>
      yargs.positional('keys', { type: 'string', array: true, demandOption: true, describe: 'Their keys' }),
    handler: async (options) => {
      const attributes = await context.daemon(options).unset(options.keys, { signal: context.signal })
      if (options.json) await context.output.write(printableJson({ attributes }, 2))
    },
  }
}

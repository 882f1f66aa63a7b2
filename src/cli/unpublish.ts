import type { Command, Context, GlobalOptions } from './command.ts'

interface UnpublishOptions extends GlobalOptions {
  id: string
}

/** `earshot unpublish ID`: withdraws what `publish --detach`, or another program, has registered. */
export function unpublishCommand(context: Context): Command<UnpublishOptions> {
  return {
    command: 'unpublish <id>',
    describe: 'Withdraw a service of this machine',
    builder: (yargs) =>
      yargs.positional('id', {
        type: 'string',
        demandOption: true,
        describe: "Its id, as 'publish --detach' printed it and 'status' lists it",
      }),
    handler: async (options) => await context.daemon(options).unpublish(options.id, { signal: context.signal }),
  }
}

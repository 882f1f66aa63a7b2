import { once } from 'node:events'
import type { ServiceEntry } from '../client/index.ts'
import { listFlag, PARSING, textFlag } from '../shared/flags.ts'
import { type Command, type Context, type GlobalOptions, Usage } from './command.ts'
import { runCompanion } from './companion.ts'
import { sentence } from './failure.ts'
import { printable, printableJson } from './printable.ts'
import { readDuration, readPair, readWhole } from './values.ts'

interface PublishOptions extends GlobalOptions {
  name: string
  type: string
  port: string
  txt?: string[] | undefined
  subtype?: string[] | undefined
  id?: string | undefined
  ttl?: string | undefined
  detach?: boolean | undefined
  /** What follows `--` on the command line. */
  '--'?: string[] | undefined
}

const FLAGS = {
  subtype: { ...listFlag, describe: 'A DNS-SD subtype; may be repeated' },
  id: {
    ...textFlag,
    describe: 'Id of the service within this machine',
    defaultDescription: 'made from NAME, TYPE and chance',
  },
  ttl: {
    ...textFlag,
    describe: 'Withdraw it when it was not renewed for so long',
    defaultDescription: '10s; with --detach, never',
  },
  detach: { type: 'boolean', describe: 'Leave it behind, for --ttl or until unpublished; prints its id' },
} as const

const SECOND_MS = 1000
const DAY_MS = 86_400_000
/** A daemon that has gone must not hold up the end of this command. */
const WITHDRAWAL_MS = 2000

/** `earshot publish NAME TYPE PORT`: a service that is there as long as this command, or the one that it runs. */
export function publishCommand(context: Context): Command<PublishOptions> {
  return {
    command: 'publish <name> <type> <port> [txt..]',
    aliases: ['announce'],
    describe: 'Publish a service while this runs, or while the command after -- does',
    builder: (yargs) =>
      yargs
        .positional('name', { type: 'string', demandOption: true, describe: 'Its name, for people' })
        .positional('type', { type: 'string', demandOption: true, describe: 'http, osc/udp or _http._tcp' })
        .positional('port', { type: 'string', demandOption: true, describe: 'Its port, 0 to 65535' })
        .positional('txt', { type: 'string', array: true, describe: 'TXT pairs: path=/list' })
        .options(FLAGS)
        // What follows -- is a command here, and only here.
        .parserConfiguration({ ...PARSING, 'populate--': true })
        .epilogue('earshot publish Shop http 8080 path=/ -- node shop.js'),
    flags: FLAGS,
    handler: async (options) => {
      const { '--': command = [], detach } = options
      const entry = readEntry(options)
      if (!detach) return await stay(entry, command, options, context)
      if (command.length > 0) throw new Usage('--detach ends at once: there is no time for a command to run')
      const service = await context.daemon(options).register(entry, { signal: context.signal })
      await context.output.write(options.json ? printableJson(service, 2) : printable(service.id))
    },
  }
}

/** @throws Usage when type, port, TXT or ttl make no sense; the rest is for the daemon to judge */
function readEntry({
  name,
  type: typeText,
  port,
  txt = [],
  subtype: subtypes = [],
  id,
  ttl,
}: PublishOptions): ServiceEntry {
  const [, type = typeText, protocol] = /^([^_/][^/]*)\/(tcp|udp)$/.exec(typeText) ?? []
  return {
    name,
    type,
    port: readWhole('PORT', port, [0, 65_535]),
    txt: Object.fromEntries(txt.map(readTxt)),
    subtypes,
    ...(protocol !== undefined && { protocol: protocol === 'udp' ? 'udp' : 'tcp' }),
    ...(id !== undefined && { id }),
    ...(ttl !== undefined && { ttl: readDuration('--ttl', ttl, [SECOND_MS, DAY_MS]) }),
  }
}

/** DNS-SD knows keys without a value as well. */
function readTxt(text: string): [key: string, value: string] {
  return text.includes('=') ? readPair('TXT', text) : [text, '']
}

/** Published until the user has had enough, or until the command ends, whose exit status is then this one's. */
async function stay(entry: ServiceEntry, command: string[], options: PublishOptions, context: Context): Promise<void> {
  const { output, signal } = context
  const published = await context.daemon(options).publish(entry, {
    onError: (error) => output.remark(`not published at the moment: ${sentence(error)}`),
  })
  try {
    if (command.length > 0) {
      signal.throwIfAborted()
      process.exitCode = await runCompanion(command, output)
    } else {
      const { service, id } = published
      const text = `published '${printable(entry.name ?? '')}' as ${printable(id)}; Ctrl-C withdraws it`
      await output.write(options.json ? printableJson(service) : text)
      if (!signal.aborted) await once(signal, 'abort')
    }
  } finally {
    const withdrawn = published.close({ signal: AbortSignal.timeout(WITHDRAWAL_MS) })
    await withdrawn.catch((error: unknown) => output.remark(`not withdrawn: ${sentence(error)}`))
  }
}

import { once } from 'node:events'
import type { ServiceEntry } from '../client/index.ts'
import { runChild } from './child-commands.ts'
import { type Context, type GlobalOptions, parseDurationFlag, parseInteger, parsePair } from './command.ts'
import { errorText, UsageError } from './errors.ts'
import { printable, printableJson } from './terminal.ts'

/** The commands that change this machine's record, which holds its services and attributes. */

interface PublishOptions extends GlobalOptions {
  name: string
  type: string
  port: string
  txt?: string[] | undefined
  subtype?: string[] | undefined
  id?: string | undefined
  ttl?: string | undefined
  detach?: boolean | undefined
  /** The words after `--` on the command line. */
  '--'?: string[] | undefined
}

const MIN_TTL_MS = 1000
const MAX_TTL_MS = 86_400_000
/** How long the command waits for the daemon's answer when it withdraws the service. */
const WITHDRAWAL_TIMEOUT_MS = 2000

/** `earshot publish NAME TYPE PORT`: publishes a service until this command, or the command after `--`, ends. */
export async function publish(options: PublishOptions, context: Context): Promise<void> {
  const { '--': command = [], detach } = options
  const entry = readEntry(options)
  if (!detach) return await publishWhileRunning(entry, command, options, context)
  if (command.length > 0) throw new UsageError('--detach exits at once, so no command can follow --')
  const service = await context.daemon(options).register(entry, { signal: context.signal })
  await context.output.write(options.json ? printableJson(service, 2) : printable(service.id))
}

/** @throws UsageError if port, TXT or TTL are malformed; the daemon checks everything else */
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
    port: parseInteger('PORT', port, [0, 65_535]),
    txt: Object.fromEntries(txt.map(parseTxt)),
    subtypes,
    ...(protocol !== undefined && { protocol: protocol === 'udp' ? 'udp' : 'tcp' }),
    ...(id !== undefined && { id }),
    ...(ttl !== undefined && { ttl: parseDurationFlag('--ttl', ttl, [MIN_TTL_MS, MAX_TTL_MS]) }),
  }
}

/** A TXT key may stand without a value (RFC 6763, section 6.4). */
function parseTxt(text: string): [key: string, value: string] {
  return text.includes('=') ? parsePair('TXT', text) : [text, '']
}

/** Publishes until the signal is aborted, or until the command ends; its exit status becomes that of this process. */
async function publishWhileRunning(
  entry: ServiceEntry,
  command: string[],
  options: PublishOptions,
  context: Context,
): Promise<void> {
  const { output, signal } = context
  const published = await context.daemon(options).publish(entry, {
    onError: (error) => output.warn(`not published at the moment: ${errorText(error)}`),
  })
  try {
    if (command.length > 0) {
      signal.throwIfAborted()
      process.exitCode = await runChild(command, output)
    } else {
      const { service, id } = published
      const text = `published '${printable(entry.name ?? '')}' as ${printable(id)}; Ctrl-C withdraws it`
      await output.write(options.json ? printableJson(service) : text)
      if (!signal.aborted) await once(signal, 'abort')
    }
  } finally {
    const withdrawn = published.close({ signal: AbortSignal.timeout(WITHDRAWAL_TIMEOUT_MS) })
    await withdrawn.catch((error: unknown) => output.warn(`not withdrawn: ${errorText(error)}`))
  }
}

interface UnpublishOptions extends GlobalOptions {
  id: string
}

/** `earshot unpublish ID`: withdraws a service that `publish --detach` or another program registered. */
export async function unpublish(options: UnpublishOptions, context: Context): Promise<void> {
  await context.daemon(options).unpublish(options.id, { signal: context.signal })
}

interface SetOptions extends GlobalOptions {
  pairs: string[]
}

/** `earshot set KEY=VALUE…`: sets attributes. */
export async function set(options: SetOptions, context: Context): Promise<void> {
  const values = options.pairs.map((text) => {
    const [key, value] = parsePair('set', text)
    return [key, parseAttributeValue(value)] as const
  })
  const attributes = await context.daemon(options).set(Object.fromEntries(values), { signal: context.signal })
  if (options.json) await context.output.write(printableJson({ attributes }, 2))
}

const JSON_NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/
const JSON_STRING = /^".*"$/s

/**
 * The value of an attribute: `true`, `false`, a number or a quoted string as in JSON, and any other text as it is. A number
 * above 2^53, which a JavaScript number may not hold exactly, stays text.
 */
function parseAttributeValue(text: string): string | number | boolean {
  if (text === 'true' || text === 'false') return text === 'true'
  if (JSON_NUMBER.test(text)) {
    const number = Number(text)
    return Number.isFinite(number) && Math.abs(number) <= Number.MAX_SAFE_INTEGER ? number : text
  }
  if (!JSON_STRING.test(text)) return text
  try {
    return String(JSON.parse(text))
  } catch {
    return text
  }
}

interface UnsetOptions extends GlobalOptions {
  keys: string[]
}

/** `earshot unset KEY…`: removes attributes. */
export async function unset(options: UnsetOptions, context: Context): Promise<void> {
  const attributes = await context.daemon(options).unset(options.keys, { signal: context.signal })
  if (options.json) await context.output.write(printableJson({ attributes }, 2))
}

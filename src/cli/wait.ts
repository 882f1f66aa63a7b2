import { type Context, type GlobalOptions, parseAttributeFilter, parseDurationFlag, parseInteger } from './command.ts'
import { EXIT, exitStatus } from './errors.ts'
import { warnIfNoPeersHeard } from './no-peers.ts'
import { peerLines } from './peer-columns.ts'
import { printableJson } from './terminal.ts'

interface WaitOptions extends GlobalOptions {
  service?: string[] | undefined
  where?: string[] | undefined
  name?: string[] | undefined
  self?: boolean | undefined
  count: string
  timeout: string
  signed?: boolean | undefined
}

const MAX_TIMEOUT_MS = 86_400_000
const MAX_PEERS = 16_384

/** `earshot wait`: ends as soon as `--count` matching peers are alive, or with status 4 after the timeout. */
export async function wait(options: WaitOptions, context: Context): Promise<void> {
  const { output, signal } = context
  const count = parseInteger('--count', options.count, [1, MAX_PEERS])
  const timeout = parseDurationFlag('--timeout', options.timeout, [0, MAX_TIMEOUT_MS])
  const { service, where, name, self, signed } = options
  const source = signed ? ('beacon' as const) : undefined
  // Suspect peers may have failed, so they do not count.
  const filter = {
    count,
    state: 'alive' as const,
    ...(service && { service }),
    ...(where && { attributes: parseAttributeFilter(where) }),
    ...(name && { name }),
    ...(self && { self }),
    source,
  }
  const daemon = context.daemon(options)
  const peers = await daemon.waitFor(filter, { timeout, signal }).catch(async (error: unknown) => {
    if (exitStatus(error) === EXIT.timedOut) await warnIfNoPeersHeard(daemon, context)
    throw error
  })
  // With a name for each peer, each name must belong to one peer: the daemon refuses an ambiguous one.
  if (name && count <= name.length) {
    const found = name.filter((one) => peers.some((peer) => peer.name === one))
    for (const one of found) await daemon.peer(one, { source, signal })
  }
  if (options.json) return await output.write(printableJson({ peers }, 2))
  if (!output.terminal) return await output.write(...peerLines(peers, { headings: false }))
  const { peerTable } = await import('./peer-table.ts')
  await output.write(...peerTable(peers, { width: output.width, style: output.style, now: context.now() }))
}

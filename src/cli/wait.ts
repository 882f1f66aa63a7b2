import { listFlag, textFlag } from '../shared/flags.ts'
import {
  type Command,
  type Context,
  type GlobalOptions,
  parseAttributeFilter,
  parseDurationFlag,
  parseInteger,
  peerOptions,
} from './command.ts'
import { EXIT, exitStatus } from './errors.ts'
import { warnIfNoPeersHeard } from './no-peers.ts'
import { peerTable } from './peer-text.ts'
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
export function waitCommand(context: Context): Command<WaitOptions> {
  return {
    command: 'wait',
    describe: 'Wait until peers are alive, and list them; status 4 when they are not in time',
    builder: {
      service: peerOptions.service,
      where: peerOptions.where,
      signed: peerOptions.signed,
      name: { ...listFlag, describe: 'Only peers of this name' },
      self: peerOptions.self,
      count: { ...textFlag, default: '1', describe: 'How many peers to wait for' },
      timeout: { ...textFlag, default: '30s', describe: 'How long to wait' },
    },
    handler: async (options) => {
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
      const { terminal, width, style } = output
      await output.write(...peerTable(peers, { terminal, width, style, now: context.now(), headings: terminal }))
    },
  }
}

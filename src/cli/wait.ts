import { listFlag, textFlag } from '../shared/flags.ts'
import type { Command, Context, GlobalOptions } from './command.ts'
import { EXIT, exitStatus } from './failure.ts'
import { remarkOnSilence } from './nobody-heard.ts'
import { peerOptions, readAttributes } from './peer-options.ts'
import { peerTable } from './peer-table.ts'
import { printableJson } from './printable.ts'
import { readDuration, readWhole } from './values.ts'

interface WaitOptions extends GlobalOptions {
  service?: string[] | undefined
  where?: string[] | undefined
  name?: string[] | undefined
  self?: boolean | undefined
  count: string
  timeout: string
  signed?: boolean | undefined
}

const DAY_MS = 86_400_000
const MAX_PEERS = 16_384

/** `earshot wait`: ends as soon as so many peers are there, or with status 4 when time is up. */
export function waitCommand(context: Context): Command<WaitOptions> {
  return {
    command: 'wait',
    describe: 'Wait until peers are there, and list them; status 4 when they are not in time',
    builder: {
      service: peerOptions.service,
      where: peerOptions.where,
      signed: peerOptions.signed,
      name: { ...listFlag, describe: 'Only peers of this name' },
      self: peerOptions.self,
      count: { ...textFlag, default: '1', describe: 'How many have to be there' },
      timeout: { ...textFlag, default: '30s', describe: 'How long to wait' },
    },
    handler: async (options) => {
      const { output, signal } = context
      const count = readWhole('--count', options.count, [1, MAX_PEERS])
      const timeout = readDuration('--timeout', options.timeout, [0, DAY_MS])
      const { service, where, name, self, signed } = options
      const source = signed ? ('beacon' as const) : undefined
      // A suspect may be dead: one who waits wants to begin work with those who are there.
      const filter = {
        count,
        state: 'alive' as const,
        ...(service && { service }),
        ...(where && { attributes: readAttributes(where) }),
        ...(name && { name }),
        ...(self && { self }),
        source,
      }
      const daemon = context.daemon(options)
      const peers = await daemon.waitFor(filter, { timeout, signal }).catch(async (error: unknown) => {
        if (exitStatus(error) === EXIT.timedOut) await remarkOnSilence(daemon, context)
        throw error
      })
      // One who waits for as many as there are names waits for one of each: it is told where another has that name, too.
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

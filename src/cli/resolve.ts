import { textFlag } from '../shared/flags.ts'
import { type Command, type Context, type GlobalOptions, peerOptions } from './command.ts'
import { printable, printableJson } from './terminal.ts'

interface ResolveOptions extends GlobalOptions {
  name: string
  service?: string | undefined
  ipv4?: boolean | undefined
  ipv6?: boolean | undefined
  signed?: boolean | undefined
}

const FLAGS = {
  service: { ...textFlag, describe: 'The address and port of its service of this type: http, osc/udp or _http._tcp' },
  ipv4: { alias: '4', type: 'boolean', describe: 'An IPv4 address', conflicts: 'ipv6' },
  ipv6: { alias: '6', type: 'boolean', describe: 'An IPv6 address' },
  signed: peerOptions.signed,
} as const

/** `earshot resolve NAME`: the address of a peer or host, or the address and port of a service, for scripts. */
export function resolveCommand(context: Context): Command<ResolveOptions> {
  return {
    command: 'resolve <name>',
    describe: 'The address of a peer, or of a service: curl http://$(earshot resolve kitchen --service http)',
    builder: (yargs) =>
      yargs
        .positional('name', {
          type: 'string',
          demandOption: true,
          describe: "A peer's name or id, a service's name, or a host's: printer.local",
        })
        .options(FLAGS),
    flags: FLAGS,
    handler: async (options) => {
      const { output, signal } = context
      const { name, service, ipv4, ipv6, signed } = options
      const family = ipv4 ? 'ipv4' : ipv6 ? 'ipv6' : undefined
      const found = await context.daemon(options).resolve(name, { service, family, signed, signal })
      if (options.json) return await output.write(printableJson(found, 2))
      const { peer } = found
      if (peer?.source === 'beacon' && found.source === 'mdns') {
        output.warn(
          `'${printable(peer.name)}' has not signed this service: it was found by mDNS (--signed leaves it out)`,
        )
      }
      await output.write(printable(found.service ? found.host : found.address))
    },
  }
}

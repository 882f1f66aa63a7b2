import type { Context, GlobalOptions } from './command.ts'
import { printable, printableJson } from './terminal.ts'

interface ResolveOptions extends GlobalOptions {
  name: string
  service?: string | undefined
  ipv4?: boolean | undefined
  ipv6?: boolean | undefined
  signed?: boolean | undefined
}

/** `earshot resolve NAME`: the address of a peer or host, or the address and port of a service, for scripts. */
export async function resolve(options: ResolveOptions, context: Context): Promise<void> {
  const { output, signal } = context
  const { name, service, ipv4, ipv6, signed } = options
  const family = ipv4 ? 'ipv4' : ipv6 ? 'ipv6' : undefined
  const found = await context.daemon(options).resolve(name, { service, family, signed, signal })
  if (options.json) return await output.write(printableJson(found, 2))
  const { peer } = found
  if (peer?.source === 'beacon' && found.source === 'mdns') {
    output.warn(`'${printable(peer.name)}' has not signed this service: it was found by mDNS (--signed leaves it out)`)
  }
  await output.write(printable(found.service ? found.host : found.address))
}

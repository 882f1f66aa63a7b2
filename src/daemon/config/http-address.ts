import { isIPv4 } from 'node:net'
import { BadConfig } from '../../shared/errors.ts'

/** Where the HTTP API listens beside the Unix socket. */
export interface HttpAddress {
  /** 127.0.0.0/8 or ::1. */
  host: string
  /** 0 lets the system choose. */
  port: number
}

/**
 * Reads `--http`: `127.0.0.1:15353`, `localhost:15353`, `[::1]:15353`, a port alone, or `off`, which gives undefined.
 * @throws BadConfig when it is none of these, or not loopback
 */
export function readHttpAddress(text: string): HttpAddress | undefined {
  if (text === 'off') return undefined
  const [, host = '127.0.0.1', digits] = /^(?:(.+):)?(\d{1,5})$/.exec(text) ?? []
  const port = Number(digits)
  if (digits === undefined || port > 65_535) {
    throw new BadConfig(`http must be an address with a port, such as 127.0.0.1:15353, or off, not '${text}'`)
  }
  // `localhost` may be either family: one of them is chosen here, so that what is shown is what is bound.
  const address = { host: host === 'localhost' ? '127.0.0.1' : host.replace(/^\[(.*)\]$/, '$1'), port }
  checkLoopback(address)
  return address
}

/**
 * Refuses an address that others on the network could reach: the API has no access control on TCP but this.
 * @throws BadConfig
 */
export function checkLoopback({ host, port }: HttpAddress): void {
  if (host === '::1' || (isIPv4(host) && host.startsWith('127.'))) return
  throw new BadConfig(
    `http must be on loopback, not ${host}: others on the network could read and change what this machine shows ` +
      `(use 127.0.0.1:${port}, or off and the control socket; from afar: ssh -L ${port}:127.0.0.1:${port})`,
  )
}

/** `host:port` as it stands in a URL. */
export function writeHttpAddress({ host, port }: HttpAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

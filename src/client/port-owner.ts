import { readFileSync } from 'node:fs'
import { endianness } from 'node:os'

/** The state of a socket that listens, in the kernel's tables (TCP_LISTEN). */
const LISTENING = '0A'

/**
 * The number of the user whose program listens at an `http:` URL of this machine's loopback, as Linux tells in /proc/net/tcp and
 * tcp6 (proc(5)); undefined where that cannot be read, or nobody listens.
 */
export function portOwner(url: string): number | undefined {
  const { hostname, port } = new URL(url)
  return listener(read('/proc/net/tcp') + read('/proc/net/tcp6'), hostname, Number(port || 80))
}

/**
 * The same, out of the text of these tables. A program that listens on the very address is the one that is reached,
 * else one that listens on every address.
 */
export function listener(tables: string, address: string, port: number): number | undefined {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const owners = new Map<string, number>()
  for (const line of tables.split('\n')) {
    const [, local = '', , state, , , , uid] = line.trim().split(/\s+/)
    if (state === LISTENING && local.endsWith(suffix)) owners.set(local.slice(0, -suffix.length), Number(uid))
  }
  for (const written of writtenForms(address)) {
    const owner = owners.get(written)
    if (owner !== undefined) return owner
  }
  return undefined
}

/** The addresses that may be listened on by who is reached at this one, as the tables write them. */
function writtenForms(address: string): string[] {
  const everyIpv6 = '0'.repeat(32)
  if (address.includes(':')) return [words('00000000000000000000000000000001'), everyIpv6]
  const bytes = (address === 'localhost' ? '127.0.0.1' : address).split('.').map(Number)
  const plain = Buffer.from(bytes).toString('hex')
  return [words(plain), words(`00000000000000000000ffff${plain}`), '00000000', everyIpv6]
}

/** The kernel writes addresses as 32-bit numbers in the byte order of the machine. */
function words(hex: string): string {
  const bytes = Buffer.from(hex, 'hex')
  return (endianness() === 'LE' ? bytes.swap32() : bytes).toString('hex').toUpperCase()
}

function read(table: string): string {
  try {
    return readFileSync(table, 'utf8')
  } catch {
    return ''
  }
}

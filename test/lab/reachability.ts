import type { Host } from './host.ts'
import { PYTHON } from './sniffer.ts'

/** Port 9 (discard) is closed on every lab host: a reachable host refuses the connection at once. */
const CONNECT = `
import socket, sys
try: socket.create_connection((sys.argv[1], 9), 1)
except ConnectionRefusedError: sys.exit(0)
except OSError as error: sys.exit(str(error))
`

/** The reason why a host cannot reach an address by unicast, or '' if it can. IPv6 link-local addresses need a zone. */
export async function unreachable(from: Host, address: string): Promise<string> {
  const { code, stderr } = await from.exec(PYTHON, ['-c', CONNECT, address])
  return code === 0 ? '' : stderr
}

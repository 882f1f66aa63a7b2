import type { Host } from './host.ts'
import { PYTHON } from './sniffer.ts'

/** Port 9 (discard) is closed on every lab host: a host that is there refuses the connection at once. */
const CONNECT = `
import socket, sys
try: socket.create_connection((sys.argv[1], 9), 1)
except ConnectionRefusedError: sys.exit(0)
except OSError as error: sys.exit(str(error))
`

/** Why one host does not reach an address (IPv6 link-local with its zone) by unicast; empty when it does. */
export async function unreachable(from: Host, address: string): Promise<string> {
  const { code, stderr } = await from.exec(PYTHON, ['-c', CONNECT, address])
  return code === 0 ? '' : stderr
}

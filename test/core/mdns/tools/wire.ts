import type { DatagramSource } from '../../../../src/core/link.ts'
import type { Message } from '../../../../src/core/mdns/dns/messages.ts'
import type { MdnsNotice } from '../../../../src/core/mdns/mdns.ts'
import { MdnsTransport } from '../../../../src/io/mdns/transport.ts'

/** What `BonjourLinks` handed to its sockets. */
export interface Sent {
  interface: string
  to: string
  bytes: Buffer
}

/** Links with nothing behind them, at a time that stands still. */
export class Wire {
  readonly sent: Sent[] = []
  readonly notices: MdnsNotice[] = []
  readonly problems: Error[] = []
  readonly links: MdnsTransport
  now = 1000

  constructor(interfaces = [{ name: 'eth0', paths: ['multicast4', 'multicast6'] }]) {
    const keep = (name: string, to: string, bytes: Uint8Array) => {
      this.sent.push({ interface: name, to, bytes: Buffer.from(bytes) })
    }
    this.links = new MdnsTransport({
      net: {
        send: (name, path, bytes) => keep(name, path, bytes),
        sendTo: (name, address, port, bytes) => keep(name, `${address} ${port}`, bytes),
      },
      now: () => this.now,
      notice: (notice) => this.notices.push(notice),
      problem: (error) => this.problems.push(error),
    })
    this.links.setInterfaces(interfaces)
  }

  receive(bytes: Uint8Array, heard: Partial<DatagramSource> = {}): Message | undefined {
    const where: DatagramSource = {
      interface: 'eth0',
      address: '192.168.1.20',
      port: 5353,
      onLink: true,
      own: false,
      path: 'multicast4',
    }
    return this.links.receive(bytes, { ...where, ...heard }, this.now)
  }
}

/** A message of nothing, to be filled. */
export function message(parts: Partial<Message>): Message {
  return {
    kind: 'query',
    id: 0,
    truncated: false,
    questions: [],
    answers: [],
    authorities: [],
    additionals: [],
    ...parts,
  }
}

/** Lets the turn pass in which the library sends. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

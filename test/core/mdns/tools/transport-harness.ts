import type { DatagramSource } from '../../../../src/core/link.ts'
import type { Message } from '../../../../src/core/mdns/dns/messages.ts'
import type { MdnsNotice } from '../../../../src/core/mdns/mdns.ts'
import { MdnsTransport } from '../../../../src/io/mdns/transport.ts'

/** What the transport passed to its sockets. */
export interface Sent {
  interface: string
  to: string
  bytes: Buffer
}

/** A transport without a network. Its time does not advance. */
export class TransportHarness {
  readonly sent: Sent[] = []
  readonly notices: MdnsNotice[] = []
  readonly problems: Error[] = []
  readonly transport: MdnsTransport
  now = 1000

  constructor(interfaces = [{ name: 'eth0', paths: ['multicast4', 'multicast6'] }]) {
    const keep = (name: string, to: string, bytes: Uint8Array) => {
      this.sent.push({ interface: name, to, bytes: Buffer.from(bytes) })
    }
    this.transport = new MdnsTransport({
      net: {
        send: (name, path, bytes) => keep(name, path, bytes),
        sendTo: (name, address, port, bytes) => keep(name, `${address} ${port}`, bytes),
      },
      now: () => this.now,
      notice: (notice) => this.notices.push(notice),
      problem: (error) => this.problems.push(error),
    })
    this.transport.setInterfaces(interfaces)
  }

  receive(bytes: Uint8Array, from: Partial<DatagramSource> = {}): Message | undefined {
    const where: DatagramSource = {
      interface: 'eth0',
      address: '192.168.1.20',
      port: 5353,
      onLink: true,
      own: false,
      path: 'multicast4',
    }
    return this.transport.receive(bytes, { ...where, ...from }, this.now)
  }
}

/** An empty message. */
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

/** Waits for the turn in which the library sends. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

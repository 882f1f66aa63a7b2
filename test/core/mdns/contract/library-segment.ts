import { EventEmitter } from 'node:events'
import os from 'node:os'
import Bonjour from 'bonjour-service'
import dnsPacket, { type Answer, type DecodedPacket, type Packet } from 'dns-packet'
import { vi } from 'vitest'

/** The socket of one host on a `LibrarySegment`. */
export class SegmentSocket extends EventEmitter {
  readonly memberships: string[] = []
  readonly #segment: LibrarySegment
  /** The error of every send. */
  broken: Error | undefined
  /** The errors that the callers' callbacks threw. */
  readonly thrown: unknown[] = []

  constructor(segment: LibrarySegment) {
    super()
    this.#segment = segment
  }

  send(
    bytes: Buffer,
    _offset: number,
    _length: number,
    _port: number,
    _to: string,
    done: (error?: Error) => void,
  ): void {
    if (this.broken === undefined) this.#segment.carry(bytes)
    try {
      done(this.broken)
    } catch (error) {
      this.thrown.push(error)
    }
  }

  addMembership(_group: string, address: string): void {
    this.memberships.push(address)
  }

  close(done: () => void): void {
    done()
  }
}

/** Unmodified instances of bonjour-service on an in-memory network, and all packets sent there. */
export class LibrarySegment {
  readonly sent: DecodedPacket[] = []
  readonly #sockets: SegmentSocket[] = []

  /** @param options for multicast-dns, in addition to the socket */
  host(
    options: Record<string, unknown> = {},
    onError?: (error: Error) => void,
  ): { bonjour: Bonjour; socket: SegmentSocket } {
    const socket = new SegmentSocket(this)
    this.#sockets.push(socket)
    return { bonjour: new Bonjour({ bind: false, multicast: false, ...options, socket } as object, onError), socket }
  }

  carry(bytes: Buffer): void {
    this.sent.push(dnsPacket.decode(bytes))
    for (const socket of this.#sockets) socket.emit('message', bytes, { address: '192.0.2.1', port: 5353 })
  }

  /** Sends a packet as a host that does not use the library. */
  send(packet: Packet): void {
    this.carry(dnsPacket.encode(packet))
  }

  /** Returns the answers to a question. */
  async ask(name: string, type: 'PTR' | 'SRV' | 'A' | 'AAAA'): Promise<Answer[]> {
    const before = this.sent.length + 1
    this.send({ type: 'query', questions: [{ name, type }] })
    await settle()
    return this.sent.slice(before).flatMap(({ answers = [] }) => answers)
  }
}

/** Waits for the turns in which the library works. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve))
}

/** Simulates two interfaces with one address each on two networks. */
export function twoInterfaces(): void {
  const entry = { netmask: '255.255.255.0', family: 'IPv4', internal: false } as const
  vi.spyOn(os, 'networkInterfaces').mockReturnValue({
    eth0: [{ ...entry, address: '192.0.2.1', mac: '02:00:00:00:00:01', cidr: '192.0.2.1/24' }],
    eth1: [{ ...entry, address: '198.51.100.1', mac: '02:00:00:00:00:02', cidr: '198.51.100.1/24' }],
  })
}

import { EventEmitter } from 'node:events'
import os from 'node:os'
import Bonjour from 'bonjour-service'
import dnsPacket, { type Answer, type DecodedPacket, type Packet } from 'dns-packet'
import { vi } from 'vitest'

/** The socket of one host on a `LibrarySegment`. */
export class SegmentSocket extends EventEmitter {
  readonly memberships: string[] = []
  readonly #segment: LibrarySegment
  /** Why nothing can be sent. */
  broken: Error | undefined
  /** What the callers' callbacks threw. */
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

/** bonjour-service, as it comes, on a network of its own in memory; and what was said there. */
export class LibrarySegment {
  readonly said: DecodedPacket[] = []
  readonly #sockets: SegmentSocket[] = []

  /** @param options of multicast-dns, beside the socket */
  host(
    options: Record<string, unknown> = {},
    onError?: (error: Error) => void,
  ): { bonjour: Bonjour; socket: SegmentSocket } {
    const socket = new SegmentSocket(this)
    this.#sockets.push(socket)
    return { bonjour: new Bonjour({ bind: false, multicast: false, ...options, socket } as object, onError), socket }
  }

  carry(bytes: Buffer): void {
    this.said.push(dnsPacket.decode(bytes))
    for (const socket of this.#sockets) socket.emit('message', bytes, { address: '192.0.2.1', port: 5353 })
  }

  /** Says something as a host that is not of the library. */
  say(packet: Packet): void {
    this.carry(dnsPacket.encode(packet))
  }

  /** What is answered to a question. */
  async ask(name: string, type: 'PTR' | 'SRV' | 'A' | 'AAAA'): Promise<Answer[]> {
    const before = this.said.length + 1
    this.say({ type: 'query', questions: [{ name, type }] })
    await settle()
    return this.said.slice(before).flatMap(({ answers = [] }) => answers)
  }
}

/** Lets the library's own turns pass. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve))
}

/** The machine has these interfaces: one address on each of two networks. */
export function twoInterfaces(): void {
  const entry = { netmask: '255.255.255.0', family: 'IPv4', internal: false } as const
  vi.spyOn(os, 'networkInterfaces').mockReturnValue({
    eth0: [{ ...entry, address: '192.0.2.1', mac: '02:00:00:00:00:01', cidr: '192.0.2.1/24' }],
    eth1: [{ ...entry, address: '198.51.100.1', mac: '02:00:00:00:00:02', cidr: '198.51.100.1/24' }],
  })
}

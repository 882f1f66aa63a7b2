import type { RemoteInfo } from 'node:dgram'
import { EventEmitter } from 'node:events'
import Bonjour from 'bonjour-service'
import type { Packet } from 'dns-packet'
import { MDNS_PORT } from '../../core/mdns/dns/messages.ts'

/** Where a message is sent to: the multicast group or one host. */
export interface Destination {
  address: string
  port: number
}

/** The part of multicast-dns that is used. bonjour-service has an instance of it that its types do not show. */
interface MulticastDns extends EventEmitter {
  query(packet: Packet, to: Destination): void
  respond(packet: Packet, to: Destination): void
}

/** The socket that is passed to multicast-dns. It hands messages to `transmit` instead of the network. */
class VirtualSocket extends EventEmitter {
  readonly #transmit: (bytes: Buffer, to: Destination) => void

  constructor(transmit: (bytes: Buffer, to: Destination) => void) {
    super()
    this.#transmit = transmit
  }

  send(
    bytes: Buffer,
    offset: number,
    length: number,
    port: number,
    address: string,
    done?: (error: Error | null) => void,
  ): void {
    this.#transmit(bytes.subarray(offset, offset + length), { address, port })
    done?.(null)
  }

  close(done?: () => void): void {
    this.removeAllListeners()
    if (done !== undefined) process.nextTick(done)
  }
}

/**
 * One instance of bonjour-service. It only encodes and decodes: it opens no sockets, registers no services and browses
 * for nothing, so it sends nothing by itself.
 */
export class BonjourInstance {
  readonly #bonjour: Bonjour
  readonly #mdns: MulticastDns
  readonly #socket: VirtualSocket
  #decoded: Packet | undefined

  /**
   * @param transmit receives each encoded message; must not throw
   * @throws Error if bonjour-service has an unexpected structure
   */
  constructor(transmit: (bytes: Buffer, to: Destination) => void) {
    this.#socket = new VirtualSocket(transmit)
    // Assigned to a variable first: the types of bonjour-service declare other options here than those of
    // multicast-dns.
    const options = { type: 'udp4', port: MDNS_PORT, socket: this.#socket, bind: false, multicast: false }
    // Without this callback, bonjour-service throws errors asynchronously.
    this.#bonjour = new Bonjour(options, () => {})
    this.#mdns = mdnsOf(this.#bonjour)
    this.#mdns.on('packet', (packet: Packet) => {
      this.#decoded = packet
    })
    this.#mdns.on('error', () => {})
  }

  /**
   * @returns undefined if the message cannot be decoded
   * @throws errors of bonjour-service's listeners
   */
  decode(bytes: Buffer, { address, port }: Destination): Packet | undefined {
    this.#decoded = undefined
    // Without object spread: spread objects are collected late, and a flood of messages would use much memory.
    const info: RemoteInfo = { address, port, family: address.includes(':') ? 'IPv6' : 'IPv4', size: bytes.length }
    this.#socket.emit('message', bytes, info)
    return this.#decoded
  }

  /**
   * Encodes and transmits a message in a later turn. Messages that cannot be encoded would throw there uncaught, so the
   * caller has to filter them.
   */
  send(packet: Packet, to: Destination): void {
    if (packet.type === 'response') this.#mdns.respond(packet, to)
    else this.#mdns.query(packet, to)
  }

  close(): void {
    this.#bonjour.destroy()
  }
}

function mdnsOf(bonjour: Bonjour): MulticastDns {
  const server: unknown = Reflect.get(bonjour, 'server')
  const mdns: unknown = server instanceof Object ? Reflect.get(server, 'mdns') : undefined
  if (mdns instanceof EventEmitter && 'query' in mdns && 'respond' in mdns) return mdns as MulticastDns
  throw new Error('bonjour-service has no multicast-dns instance at server.mdns')
}

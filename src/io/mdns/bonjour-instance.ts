import type { RemoteInfo } from 'node:dgram'
import { EventEmitter } from 'node:events'
import Bonjour from 'bonjour-service'
import type { Packet } from 'dns-packet'
import { MDNS_PORT } from '../../core/mdns/dns/messages.ts'

/** Where to: the group, or one that asked. */
export interface Destination {
  address: string
  port: number
}

/** What of multicast-dns is used: bonjour-service holds one, and does not show it in its types. */
interface MulticastDns extends EventEmitter {
  query(packet: Packet, to: Destination): void
  respond(packet: Packet, to: Destination): void
}

/** What multicast-dns asks of a socket that somebody else has opened. */
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
 * One instance of bonjour-service on sockets of ours: it decodes and encodes, and touches no network. It has nothing
 * registered and browses for nothing, so that it says nothing of its own accord.
 */
export class BonjourInstance {
  readonly #bonjour: Bonjour
  readonly #mdns: MulticastDns
  readonly #socket: VirtualSocket
  #decoded: Packet | undefined

  /**
   * @param transmit given each message encoded; must not throw
   * @throws Error when bonjour-service has another shape than this was written for
   */
  constructor(transmit: (bytes: Buffer, to: Destination) => void) {
    this.#socket = new VirtualSocket(transmit)
    // A variable, as bonjour-service's types have the options of a service in the place of those of multicast-dns.
    const options = { type: 'udp4', port: MDNS_PORT, socket: this.#socket, bind: false, multicast: false }
    // Its own way with errors is to throw them, in whatever turn they turn up.
    this.#bonjour = new Bonjour(options, () => {})
    this.#mdns = mdnsOf(this.#bonjour)
    this.#mdns.on('packet', (packet: Packet) => {
      this.#decoded = packet
    })
    this.#mdns.on('error', () => {})
  }

  /**
   * Undefined for what cannot be decoded.
   * @throws what a listener of bonjour-service throws
   */
  decode(bytes: Buffer, { address, port }: Destination): Packet | undefined {
    this.#decoded = undefined
    // Property by property: objects spread for each message are collected late, and a flood of them takes much memory.
    const info: RemoteInfo = { address, port, family: address.includes(':') ? 'IPv6' : 'IPv4', size: bytes.length }
    this.#socket.emit('message', bytes, info)
    return this.#decoded
  }

  /**
   * Encodes and transmits, in a later turn: what cannot be encoded would throw there, where nothing catches it, and so
   * has to be left out before.
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
  throw new Error('bonjour-service no longer has a multicast-dns at server.mdns')
}

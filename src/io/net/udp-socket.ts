import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { errorOf } from '../../shared/caught-error.ts'

/** Where a socket is bound and what it does there. Link-local addresses have a zone. */
export interface UdpSocketOptions {
  family: 'ipv4' | 'ipv6'
  address: string
  port: number
  /** The multicast group to receive, and the interface to receive it on: an IPv4 address of it, or `::%name`. */
  join?: { group: string; interface: string }
  /** Absent if the socket only receives. */
  send?: SendOptions
}

export interface SendOptions {
  /** Bytes that may wait in this process until the kernel accepts them. While more are waiting, datagrams are dropped. */
  queue: number
  /** Size of the kernel's send buffer (SO_SNDBUF) in bytes; absent: the system's default. */
  kernelBuffer?: number
  /** Sends multicast through this interface (an IPv4 address of it, or `::%name`), and may send broadcast. */
  multicastInterface?: string
  /** Hop limit (TTL) of every datagram; absent: 1 for multicast and the system's default for unicast. */
  hopLimit?: number
}

/** Handles the events of a socket. */
export interface UdpSocketHandler {
  received(bytes: Uint8Array, from: RemoteInfo): void
  opened(): void
  /** The socket could not be opened, or failed and was closed. `open` tries again. */
  failed(error: Error): void
}

/** The datagram was dropped because too many bytes are waiting for the kernel. */
export class SendQueueFull extends Error {
  readonly code = 'EARSHOT_SEND_QUEUE_FULL'

  constructor(bytes: number) {
    super(`send queue full: ${bytes} bytes are waiting to be sent, further datagrams are dropped`)
  }
}

/** Wanted size of the kernel's receive buffer (SO_RCVBUF) in bytes. The kernel limits it to net.core.rmem_max. */
const RECEIVE_BUFFER = 1 << 20

/** A UDP socket that can be closed and opened again. Its errors go to the handler and are never thrown. */
export class UdpSocket {
  #options: UdpSocketOptions
  #handler: UdpSocketHandler
  #socket: Socket | undefined
  #opening: Promise<void> = Promise.resolve()
  #ready = false
  /** Why the last attempt to open it failed; undefined if it succeeded. */
  error: Error | undefined

  constructor(options: UdpSocketOptions, handler: UdpSocketHandler) {
    this.#options = options
    this.#handler = handler
  }

  get address(): string {
    return this.#options.address
  }

  get ready(): boolean {
    return this.#ready
  }

  /** Opens the socket if it is not open. Resolves when this has succeeded or failed; never rejects. */
  open(): Promise<void> {
    // `#bind` may fail before it returns, and clears `#socket` then.
    if (this.#socket === undefined) this.#opening = new Promise((resolve) => this.#bind(resolve))
    return this.#opening
  }

  #bind(settle: () => void): void {
    const { family, address, port } = this.#options
    const socket = createSocket({ type: family === 'ipv4' ? 'udp4' : 'udp6', reuseAddr: true, lookup: withoutLookup })
    this.#socket = socket
    const fail = (error: unknown) => {
      if (this.#socket === socket) {
        void this.close()
        this.error = errorOf(error)
        this.#handler.failed(this.error)
      }
      settle()
    }
    socket.on('error', fail)
    socket.on('close', settle)
    socket.on('message', (bytes, from) => this.#handler.received(bytes, from))
    try {
      socket.bind({ port, address }, () => {
        if (this.#socket !== socket) return
        try {
          this.#configure(socket)
        } catch (error) {
          fail(error)
          return
        }
        this.#ready = true
        this.error = undefined
        this.#handler.opened()
        settle()
      })
    } catch (error) {
      fail(error)
    }
  }

  #configure(socket: Socket): void {
    const { family, join, send } = this.#options
    try {
      socket.setRecvBufferSize(RECEIVE_BUFFER)
      if (send?.kernelBuffer !== undefined) socket.setSendBufferSize(send.kernelBuffer)
    } catch {
      // The default sizes work too.
    }
    if (join !== undefined) socket.addMembership(join.group, join.interface)
    if (send?.hopLimit !== undefined) socket.setTTL(send.hopLimit)
    if (send?.multicastInterface === undefined) return
    if (family === 'ipv4') socket.setBroadcast(true)
    socket.setMulticastInterface(send.multicastInterface)
    socket.setMulticastTTL(send.hopLimit ?? 1)
    socket.setMulticastLoopback(true)
  }

  /** Sends a datagram if the socket is open. `done` gets null or the error: SendQueueFull if the datagram was dropped. */
  send(bytes: Uint8Array, port: number, address: string, done: (error: Error | null) => void): void {
    const socket = this.#socket
    if (!this.#ready || socket === undefined) return
    try {
      const waiting = socket.getSendQueueSize()
      if (waiting > 0 && waiting + bytes.length > (this.#options.send?.queue ?? 0)) done(new SendQueueFull(waiting))
      else socket.send(bytes, port, address, done)
    } catch (error) {
      done(errorOf(error))
    }
  }

  /** Leaves the group and joins it again. This makes the kernel report the membership to switches and routers again. */
  rejoin(): void {
    const { join } = this.#options
    const socket = this.#socket
    if (join === undefined || socket === undefined || !this.#ready) return
    try {
      socket.dropMembership(join.group, join.interface)
    } catch {
      // The membership was already lost.
    }
    try {
      socket.addMembership(join.group, join.interface)
    } catch {
      this.reopen()
    }
  }

  /** Closes and opens the socket: for a socket that has no error but receives nothing. */
  reopen(): void {
    void this.close()
    void this.open()
  }

  /** Frees the descriptor at once. Resolves when Node has closed the socket too. */
  close(): Promise<void> {
    const socket = this.#socket
    this.#socket = undefined
    this.#ready = false
    if (socket === undefined) return Promise.resolve()
    return new Promise((resolve) => {
      try {
        socket.close(resolve)
      } catch {
        resolve()
      }
    })
  }
}

/**
 * Replaces Node's lookup, since every address is literal. Node would pass an address to the resolver if its zone contains
 * a character that Node does not expect in an interface name (`wlan_0`).
 */
function withoutLookup(
  address: string,
  options: { family?: number | string | undefined } | number,
  callback: (error: null, address: string, family: number) => void,
): void {
  callback(null, address, typeof options === 'number' ? options : Number(options.family ?? 0))
}

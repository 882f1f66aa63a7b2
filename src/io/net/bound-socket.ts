import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { errorOf } from '../../shared/caught-error.ts'

/** One socket: where it is bound and what it does there. Addresses of link-local scope carry their zone. */
export interface SocketWish {
  family: 'ipv4' | 'ipv6'
  address: string
  port: number
  /** Hears this group on this interface (its IPv4 address, or `::%name`). */
  join?: { group: string; interface: string }
  /** Absent where the socket only hears. */
  sends?: Sends
}

/** How a socket sends. */
export interface Sends {
  /** Bytes that may wait in this process until the kernel takes them. What comes while more are waiting is dropped. */
  queue: number
  /** Bytes that the kernel may hold until they are on the wire; absent: the system's own. */
  kernelBuffer?: number
  /** Sends multicast through this interface (its IPv4 address, or `::%name`), and broadcast. */
  multicastThrough?: string
  /** Of all that is sent; absent, 1 for multicast and the system's own for unicast. */
  hopLimit?: number
}

export interface SocketOwner {
  heard(bytes: Uint8Array, from: RemoteInfo): void
  opened(): void
  /** It could not be opened, or broke and is closed; `open` tries again. */
  failed(error: Error): void
}

/** What is sent waits for the kernel, and too much waits already: the datagram was dropped. */
export class SendQueueFull extends Error {
  readonly code = 'EARSHOT_SEND_QUEUE_FULL'

  constructor(bytes: number) {
    super(`send queue full: ${bytes} bytes wait for the network, what comes now is dropped`)
  }
}

/** Bytes that the kernel may hold for us while we are busy; it gives what net.core.rmem_max allows. */
const RECEIVE_BUFFER = 1 << 20

/** A UDP socket that can be opened, closed and opened again, and whose errors never escape. */
export class BoundSocket {
  #wish: SocketWish
  #owner: SocketOwner
  #socket: Socket | undefined
  #settled: Promise<void> = Promise.resolve()
  #ready = false
  /** Why it is not open, when the last attempt failed. */
  error: Error | undefined

  constructor(wish: SocketWish, owner: SocketOwner) {
    this.#wish = wish
    this.#owner = owner
  }

  get address(): string {
    return this.#wish.address
  }

  get ready(): boolean {
    return this.#ready
  }

  /** Opens the socket if it is not open. Resolves when it is known whether that worked; never rejects. */
  open(): Promise<void> {
    // Binding may fail before it returns: what counts is the socket, which is gone again then.
    if (this.#socket === undefined) this.#settled = new Promise((resolve) => this.#bind(resolve))
    return this.#settled
  }

  #bind(settle: () => void): void {
    const { family, address, port } = this.#wish
    const socket = createSocket({ type: family === 'ipv4' ? 'udp4' : 'udp6', reuseAddr: true, lookup: asWritten })
    this.#socket = socket
    const fail = (error: unknown) => {
      if (this.#socket === socket) {
        void this.close()
        this.error = errorOf(error)
        this.#owner.failed(this.error)
      }
      settle()
    }
    socket.on('error', fail)
    socket.on('close', settle)
    socket.on('message', (bytes, from) => this.#owner.heard(bytes, from))
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
        this.#owner.opened()
        settle()
      })
    } catch (error) {
      fail(error)
    }
  }

  #configure(socket: Socket): void {
    const { family, join, sends } = this.#wish
    try {
      socket.setRecvBufferSize(RECEIVE_BUFFER)
      if (sends?.kernelBuffer !== undefined) socket.setSendBufferSize(sends.kernelBuffer)
    } catch {
      // The default has to do.
    }
    if (join !== undefined) socket.addMembership(join.group, join.interface)
    if (sends?.hopLimit !== undefined) socket.setTTL(sends.hopLimit)
    if (sends?.multicastThrough === undefined) return
    if (family === 'ipv4') socket.setBroadcast(true)
    socket.setMulticastInterface(sends.multicastThrough)
    socket.setMulticastTTL(sends.hopLimit ?? 1)
    socket.setMulticastLoopback(true)
  }

  /**
   * Sends; `done` gets the error, or null: SendQueueFull for what was dropped. Does nothing when the socket is not open.
   */
  send(bytes: Uint8Array, port: number, address: string, done: (error: Error | null) => void): void {
    const socket = this.#socket
    if (!this.#ready || socket === undefined) return
    try {
      const waiting = socket.getSendQueueSize()
      if (waiting > 0 && waiting + bytes.length > (this.#wish.sends?.queue ?? 0)) done(new SendQueueFull(waiting))
      else socket.send(bytes, port, address, done)
    } catch (error) {
      done(errorOf(error))
    }
  }

  /** Leaves the group and joins it again, which makes the kernel tell the switches and routers anew. */
  rejoin(): void {
    const { join } = this.#wish
    const socket = this.#socket
    if (join === undefined || socket === undefined || !this.#ready) return
    try {
      socket.dropMembership(join.group, join.interface)
    } catch {
      // That it is lost already is what renewing is for.
    }
    try {
      socket.addMembership(join.group, join.interface)
    } catch {
      this.reopen()
    }
  }

  /** Closes and opens: for when the socket looks well and yet hears nothing. */
  reopen(): void {
    void this.close()
    void this.open()
  }

  /** The descriptor is free at once, the promise resolves when Node is through with the socket too. */
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
 * Every address we give is literal. Node's own look-up would send a zone with a character that it does not expect in an
 * interface's name (`wlan_0`) through the resolver.
 */
function asWritten(
  address: string,
  options: { family?: number | string | undefined } | number,
  callback: (error: null, address: string, family: number) => void,
): void {
  callback(null, address, typeof options === 'number' ? options : Number(options.family ?? 0))
}

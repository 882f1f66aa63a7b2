import type { RemoteInfo } from 'node:dgram'
import ipaddr from 'ipaddr.js'
import type { Path, SharedPath } from '../../core/link.ts'
import { codeOf } from '../../shared/caught-error.ts'
import type { SenderPlan, SocketPlan } from './socket-plan.ts'
import { SendQueueFull, UdpSocket, type UdpSocketOptions } from './udp-socket.ts'

/** Handles the events of the sockets of one interface. */
export interface SocketsHandler {
  /** @param bound the address of the receiving socket */
  received(path: Path, bound: string, bytes: Uint8Array, from: RemoteInfo): void
  /** @param operation the operation and the address it was tried with: several sockets can serve one path */
  failed(path: Path, operation: string, error: Error): void
  succeeded(path: Path, operation: string): void
  /** A datagram was dropped because the send queue was full. */
  dropped(path: Path): void
  /** A shared path was opened or closed. */
  changed(): void
  /** The sockets of the path were closed. Earlier failures no longer matter. */
  closed(path: Path): void
}

type SendCallback = (error: Error | null) => void

interface Receiver {
  path: SharedPath
  bound: string
  socket: UdpSocket
}

interface Sender {
  to: { path: SharedPath; address: string; socket: UdpSocket; onSent: SendCallback }[]
  unicast: UdpSocket
  onUnicastSent: SendCallback
  subnet: [ipaddr.IPv4, number] | undefined
}

/** The sockets of one interface and one IP version. They are opened and closed together. */
export class FamilySockets {
  readonly plan: SocketPlan
  #handler: SocketsHandler
  #receivers: Receiver[]
  #senders: Sender[]
  #all: UdpSocket[] = []
  #lastPaths = ''
  #closed = false

  constructor(plan: SocketPlan, handler: SocketsHandler) {
    this.plan = plan
    this.#handler = handler
    this.#receivers = plan.receivers.map(({ path, socket }) => ({
      path,
      bound: socket.address,
      socket: this.#createSocket(socket, path, [path]),
    }))
    this.#senders = plan.senders.map((sender) => this.#createSender(sender))
  }

  #createSender({ to, shared, unicast, subnet }: SenderPlan): Sender {
    const paths = to.map(({ path }) => path)
    const sharedSocket = shared && this.#createSocket(shared, 'unicast', paths)
    const destinations: Sender['to'] = []
    for (const { path, address } of to) {
      const socket = sharedSocket ?? this.#receivers.find((each) => each.path === path)?.socket
      if (socket) destinations.push({ path, address, socket, onSent: this.#sendCallback(path, socket.address) })
    }
    return {
      to: destinations,
      // If both sockets have the same address, the kernel delivers unicast to either of them.
      unicast: this.#createSocket(unicast, shared ? 'unicast' : undefined, ['unicast']),
      onUnicastSent: this.#sendCallback('unicast', unicast.address),
      subnet: subnet && [ipaddr.IPv4.parse(subnet.address), subnet.prefix],
    }
  }

  /**
   * @param receives the path of the datagrams it receives; undefined if they are ignored
   * @param required the paths that do not work without this socket
   */
  #createSocket(options: UdpSocketOptions, receives: Path | undefined, required: Path[]): UdpSocket {
    const operation = `open ${options.address}`
    const socket = new UdpSocket(options, {
      received: (bytes, from) => {
        if (receives !== undefined) this.#handler.received(receives, options.address, bytes, from)
      },
      opened: () => {
        for (const path of required) this.#handler.succeeded(path, operation)
        this.#reportChange()
      },
      failed: (error) => {
        for (const path of required) this.#handler.failed(path, operation, error)
        this.#reportChange()
      },
    })
    this.#all.push(socket)
    return socket
  }

  /** Opens the sockets that are not open. Resolves when each attempt has succeeded or failed. */
  async open(): Promise<void> {
    await Promise.all(this.#all.map((socket) => socket.open()))
  }

  /** Tries again to open the sockets that failed. */
  retry(): void {
    for (const socket of this.#all) if (!socket.ready) void socket.open()
  }

  /** The address of a socket that could not be opened because another process holds the port there. */
  get taken(): string | undefined {
    return this.#all.find(({ error }) => codeOf(error) === 'EADDRINUSE')?.address
  }

  /** The addresses, without a zone, that the system refuses to bind because it does not have them, or not yet. */
  get unbindable(): string[] {
    const refused = this.#all.filter(({ error }) => codeOf(error) === 'EADDRNOTAVAIL')
    return refused.map(({ address }) => address.replace(/%.*/s, ''))
  }

  /** The shared paths that are open for sending and receiving, each with an address that receives it. */
  get openPaths(): { path: SharedPath; bound: string }[] {
    return this.#receivers
      .filter(({ path, socket }) => socket.ready && this.#canSend(path))
      .map(({ path, bound }) => ({ path, bound }))
  }

  #canSend(path: SharedPath): boolean {
    return this.#senders.some(({ to }) => to.some((each) => each.path === path && each.socket.ready))
  }

  /** Sends on a shared path, in each subnet. */
  send(path: SharedPath, bytes: Uint8Array): void {
    for (const { to } of this.#senders) {
      for (const each of to) if (each.path === path) each.socket.send(bytes, this.plan.port, each.address, each.onSent)
    }
  }

  /** Sends unicast from the address whose subnet contains the destination, or else from the first address. */
  sendTo(address: string, port: number, bytes: Uint8Array): void {
    const sender = this.#senderFor(address)
    sender?.unicast.send(bytes, port, address, sender.onUnicastSent)
  }

  #senderFor(address: string): Sender | undefined {
    const [first] = this.#senders
    if (this.#senders.length === 1) return first
    const destination = ipaddr.IPv4.parse(address)
    return this.#senders.find(({ subnet }) => subnet && destination.match(subnet)) ?? first
  }

  /** Closes and opens the receivers of one path. */
  renew(path: SharedPath): void {
    for (const receiver of this.#receivers) if (receiver.path === path) receiver.socket.reopen()
  }

  /** Leaves and joins every group. */
  rejoin(): void {
    for (const { socket } of this.#receivers) socket.rejoin()
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const { path } of this.#receivers) this.#handler.closed(path)
    this.#handler.closed('unicast')
    await Promise.all(this.#all.map((socket) => socket.close()))
  }

  /** Reports a change only if the open paths differ: a socket that fails again at every attempt is no change. */
  #reportChange(): void {
    const paths = this.openPaths.map(({ path, bound }) => `${path} ${bound}`).join()
    if (paths === this.#lastPaths) return
    this.#lastPaths = paths
    this.#handler.changed()
  }

  #sendCallback(path: Path, from: string): SendCallback {
    const operation = `send ${from}`
    return (error) => {
      // A datagram that still waited when the socket was closed has failed. No later one could succeed there.
      if (this.#closed) return
      if (error === null) {
        this.#handler.succeeded(path, operation)
        return
      }
      if (error instanceof SendQueueFull) this.#handler.dropped(path)
      this.#handler.failed(path, operation, error)
    }
  }
}

import type { RemoteInfo } from 'node:dgram'
import type { DatagramSource, SharedPath } from '../../core/link.ts'
import { codeOf } from '../../shared/caught-error.ts'
import { BoundSocket, SendQueueFull, type SocketWish } from './bound-socket.ts'
import type { Plan, SenderPlan } from './plan.ts'
import { contains, parseIpv4, type Subnet } from './subnet.ts'

type AnyPath = DatagramSource['path']

export interface SocketsOwner {
  /** @param bound the address of the socket that heard it */
  heard(path: AnyPath, bound: string, bytes: Uint8Array, from: RemoteInfo): void
  /** @param what what was tried, and with which address: several sockets can serve one path */
  failed(path: AnyPath, what: string, error: Error): void
  worked(path: AnyPath, what: string): void
  /** A datagram was not sent, as too many were waiting. */
  dropped(path: AnyPath): void
  /** A shared path opened or closed. */
  changed(): void
  /** The path is no more, and what failed on it does not matter. */
  gone(path: AnyPath): void
}

type Sent = (error: Error | null) => void

interface Receiver {
  path: SharedPath
  bound: string
  socket: BoundSocket
}

interface Sender {
  to: { path: SharedPath; address: string; socket: BoundSocket; sent: Sent }[]
  unicast: BoundSocket
  sentUnicast: Sent
  subnet: Subnet | undefined
}

/**
 * The sockets of one interface and one IP version; they live and die together. What is said to one has sockets of its
 * own: a datagram to an address that nobody has waits in the kernel for seconds, and all that is sent by the same socket
 * waits behind it.
 */
export class FamilySockets {
  readonly plan: Plan
  #owner: SocketsOwner
  #receivers: Receiver[]
  #senders: Sender[]
  #all: BoundSocket[] = []
  #open = ''

  constructor(plan: Plan, owner: SocketsOwner) {
    this.plan = plan
    this.#owner = owner
    this.#receivers = plan.receivers.map(({ path, socket }) => ({
      path,
      bound: socket.address,
      socket: this.#socketAt(socket, path, [path]),
    }))
    this.#senders = plan.senders.map((sender) => this.#senderOf(sender))
  }

  #senderOf({ to, shared, unicast, subnet }: SenderPlan): Sender {
    const paths = to.map(({ path }) => path)
    const ofItsOwn = shared && this.#socketAt(shared, 'unicast', paths)
    const destinations: Sender['to'] = []
    for (const { path, address } of to) {
      const socket = ofItsOwn ?? this.#receivers.find((one) => one.path === path)?.socket
      if (socket) destinations.push({ path, address, socket, sent: this.#onSent(path, socket.address) })
    }
    return {
      to: destinations,
      // Where two sockets have one address, the kernel hands what comes to either of them.
      unicast: this.#socketAt(unicast, shared ? 'unicast' : undefined, ['unicast']),
      sentUnicast: this.#onSent('unicast', unicast.address),
      subnet,
    }
  }

  /**
   * @param hears the path of what it hears; undefined when that does not count
   * @param needing the paths that do not work without it
   */
  #socketAt(wish: SocketWish, hears: AnyPath | undefined, needing: AnyPath[]): BoundSocket {
    const what = `open ${wish.address}`
    const socket = new BoundSocket(wish, {
      heard: (bytes, from) => {
        if (hears !== undefined) this.#owner.heard(hears, wish.address, bytes, from)
      },
      opened: () => {
        for (const path of needing) this.#owner.worked(path, what)
        this.#compare()
      },
      failed: (error) => {
        for (const path of needing) this.#owner.failed(path, what, error)
        this.#compare()
      },
    })
    this.#all.push(socket)
    return socket
  }

  /** Opens what is not open; resolves when that is known to have worked or not. */
  async open(): Promise<void> {
    await Promise.all(this.#all.map((socket) => socket.open()))
  }

  /** Tries again what failed. */
  retry(): void {
    for (const socket of this.#all) if (!socket.ready) void socket.open()
  }

  /** The address that another process holds, if that is why a socket is not open. */
  get taken(): string | undefined {
    return this.#all.find(({ error }) => codeOf(error) === 'EADDRINUSE')?.address
  }

  /** Own addresses, without zone, that the system refuses to bind a socket to: they are not, or not yet, this machine's. */
  get unbindable(): string[] {
    const refused = this.#all.filter(({ error }) => codeOf(error) === 'EADDRNOTAVAIL')
    return refused.map(({ address }) => address.replace(/%.*/s, ''))
  }

  /** The shared paths that are open for sending and hearing, each with an address that is listened on. */
  get paths(): { path: SharedPath; bound: string }[] {
    return this.#receivers
      .filter(({ path, socket }) => socket.ready && this.#isSent(path))
      .map(({ path, bound }) => ({ path, bound }))
  }

  #isSent(path: SharedPath): boolean {
    return this.#senders.some(({ to }) => to.some((one) => one.path === path && one.socket.ready))
  }

  /** Sends to everyone, in each subnet. */
  send(path: SharedPath, bytes: Uint8Array): void {
    for (const { to } of this.#senders) {
      for (const one of to) if (one.path === path) one.socket.send(bytes, this.plan.port, one.address, one.sent)
    }
  }

  /** Sends to one, from the address in whose subnet that one is. */
  sendTo(address: string, port: number, bytes: Uint8Array): void {
    const ipv4 = parseIpv4(address)
    const near = this.#senders.find(({ subnet }) => subnet && ipv4 !== undefined && contains(subnet, ipv4))
    const sender = near ?? this.#senders[0]
    sender?.unicast.send(bytes, port, address, sender.sentUnicast)
  }

  /** Makes the receivers of one path anew. */
  renew(path: SharedPath): void {
    for (const receiver of this.#receivers) if (receiver.path === path) receiver.socket.reopen()
  }

  /** Joins every group again. */
  rejoin(): void {
    for (const { socket } of this.#receivers) socket.rejoin()
  }

  async close(): Promise<void> {
    for (const { path } of this.#receivers) this.#owner.gone(path)
    this.#owner.gone('unicast')
    await Promise.all(this.#all.map((socket) => socket.close()))
  }

  /** A socket that fails again at every attempt is no change. */
  #compare(): void {
    const open = this.paths.map(({ path, bound }) => `${path} ${bound}`).join()
    if (open === this.#open) return
    this.#open = open
    this.#owner.changed()
  }

  #onSent(path: AnyPath, from: string): Sent {
    const what = `send ${from}`
    return (error) => {
      if (error === null) {
        this.#owner.worked(path, what)
        return
      }
      if (error instanceof SendQueueFull) this.#owner.dropped(path)
      this.#owner.failed(path, what, error)
    }
  }
}

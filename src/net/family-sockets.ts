import type { RemoteInfo } from 'node:dgram'
import { BoundSocket, type SocketWish } from './bound-socket.ts'
import { codeOf, type FaultKind } from './faults.ts'
import type { Heard, SharedPath } from './types.ts'

/** What one interface needs of one IP version: a socket that hears for every shared path, and one that speaks. */
export interface Plan {
  /** Names all that the sockets depend on: another key means other sockets. */
  key: string
  port: number
  /** Absent where the one that hears speaks too. */
  mouth?: SocketWish
  ears: { path: SharedPath; to: string; socket: SocketWish }[]
}

export interface SocketsOwner {
  /** @param bound the address of the socket that heard it */
  heard(path: Heard['path'], bound: string, bytes: Uint8Array, from: RemoteInfo): void
  failed(path: Heard['path'], kind: FaultKind, error: Error): void
  worked(path: Heard['path'], kind: FaultKind): void
  /** A shared path opened or closed. */
  changed(): void
  /** The path is no more, and what failed on it does not matter. */
  gone(path: Heard['path']): void
}

interface Ear {
  path: SharedPath
  to: string
  bound: string
  socket: BoundSocket
  sent: (error: Error | null) => void
}

/** The sockets of one interface and one IP version; they live and die together. */
export class FamilySockets {
  readonly plan: Plan
  #owner: SocketsOwner
  #mouth: BoundSocket | undefined
  #ears: Ear[]
  #all: BoundSocket[]
  #open = 0
  #sentUnicast = this.#onSent('unicast')

  constructor(plan: Plan, owner: SocketsOwner) {
    this.plan = plan
    this.#owner = owner
    this.#ears = plan.ears.map((ear) => ({
      path: ear.path,
      to: ear.to,
      bound: ear.socket.address,
      socket: new BoundSocket(ear.socket, {
        heard: (bytes, from) => owner.heard(ear.path, ear.socket.address, bytes, from),
        opened: () => this.#opened(),
        failed: (error) => this.#failed([ear.path], error),
      }),
      sent: this.#onSent(ear.path),
    }))
    this.#all = this.#ears.map(({ socket }) => socket)
    if (plan.mouth === undefined) return
    this.#mouth = this.#mouthAt(plan.mouth)
    this.#all.push(this.#mouth)
  }

  #mouthAt(wish: SocketWish): BoundSocket {
    const paths = this.plan.ears.map(({ path }) => path)
    return new BoundSocket(wish, {
      heard: (bytes, from) => this.#owner.heard('unicast', wish.address, bytes, from),
      opened: () => this.#opened(),
      // Without a mouth no shared path works.
      failed: (error) => this.#failed(paths, error),
    })
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

  /** The shared paths that are open for sending and hearing, each with the address that is listened on. */
  get paths(): { path: SharedPath; bound: string }[] {
    if (this.#mouth?.ready === false) return []
    return this.#ears.filter(({ socket }) => socket.ready).map(({ path, bound }) => ({ path, bound }))
  }

  has(path: SharedPath): boolean {
    return this.#ears.some((ear) => ear.path === path)
  }

  send(path: SharedPath, bytes: Uint8Array): void {
    for (const ear of this.#ears) {
      if (ear.path === path) (this.#mouth ?? ear.socket).send(bytes, this.plan.port, ear.to, ear.sent)
    }
  }

  sendTo(address: string, port: number, bytes: Uint8Array): void {
    const mouth = this.#mouth ?? this.#ears[0]?.socket
    mouth?.send(bytes, port, address, this.#sentUnicast)
  }

  /** Makes the ear of one path anew. */
  renew(path: SharedPath): void {
    for (const ear of this.#ears) if (ear.path === path) ear.socket.reopen()
  }

  /** Joins every group again. */
  rejoin(): void {
    for (const { socket } of this.#ears) socket.rejoin()
  }

  async close(): Promise<void> {
    for (const { path } of this.#ears) this.#owner.gone(path)
    this.#owner.gone('unicast')
    await Promise.all(this.#all.map((socket) => socket.close()))
  }

  #opened(): void {
    for (const { path } of this.paths) this.#owner.worked(path, 'open')
    this.#compare()
  }

  #failed(paths: SharedPath[], error: Error): void {
    for (const path of paths) this.#owner.failed(path, 'open', error)
    this.#compare()
  }

  /** A socket that fails again at every attempt is no change. */
  #compare(): void {
    const open = this.paths.length
    if (open === this.#open) return
    this.#open = open
    this.#owner.changed()
  }

  #onSent(path: Heard['path']): (error: Error | null) => void {
    return (error) => {
      if (error === null) this.#owner.worked(path, 'send')
      else this.#owner.failed(path, 'send', error)
    }
  }
}

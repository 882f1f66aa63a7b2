import type { DatagramSource, Interface } from '../link.ts'
import { encode, type Message, type MessageType, onPath } from '../wire/index.ts'
import type { Outgoing } from './peers/types.ts'

/** What is to be sent, and on what: the interfaces there are. */
export class Outbox {
  readonly sent: Record<MessageType, number> = { beat: 0, record: 0, query: 0, bye: 0, probe: 0 }
  #interfaces: Interface[] = []
  #outgoing: Outgoing[] = []

  get interfaces(): readonly Interface[] {
    return this.#interfaces
  }

  /** The greatest number of shared paths that an interface has. */
  get paths(): number {
    return Math.max(0, ...this.#interfaces.map(({ paths }) => paths.length))
  }

  setInterfaces(interfaces: Interface[]): void {
    this.#interfaces = interfaces
  }

  find(name: string): Interface | undefined {
    return this.#interfaces.find((each) => each.name === name)
  }

  /** To everyone, on every path of these interfaces. */
  shout(message: Message, interfaces: readonly Interface[] = this.#interfaces): void {
    for (const network of interfaces) this.shoutAll([message], network)
  }

  /** Several messages to everyone on one interface: on each path one right after the other, so that the least comes in between. */
  shoutAll(messages: readonly Message[], { name, paths }: Interface): void {
    const datagrams = messages.map((message) => ({ message, bytes: encode(message) }))
    for (const path of paths) {
      for (const { message, bytes } of datagrams) {
        this.#add(message, { interface: name, to: path, bytes: onPath(bytes, path) })
      }
    }
  }

  /**
   * To one address. Several daemons of one machine share the port, and unicast reaches but one of them, so an
   * address of this machine is told on the shared paths; one that is not on the link is told nothing.
   */
  tell(message: Message, where: DatagramSource): void {
    if (!where.onLink) return
    const { address, port } = where
    const through = this.find(where.interface)
    if (!through) return
    if (where.own) this.shout(message, [through])
    else this.#add(message, { interface: through.name, to: { address, port }, bytes: encode(message) })
  }

  take(): Outgoing[] {
    const outgoing = this.#outgoing
    this.#outgoing = []
    return outgoing
  }

  #add(message: Message, outgoing: Outgoing): void {
    this.sent[message.type]++
    this.#outgoing.push(outgoing)
  }
}

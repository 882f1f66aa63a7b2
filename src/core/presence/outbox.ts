import type { DatagramSource, Interface } from '../link.ts'
import { Pending } from '../pending.ts'
import { encode, withPath } from '../wire/codec.ts'
import type { Message, MessageType } from '../wire/messages.ts'
import type { OutgoingDatagram } from './peers/types.ts'

/** How the interfaces in use have changed. */
interface InterfaceChanges {
  /** Names of the interfaces that are no longer in use. */
  removed: string[]
  /** The interfaces on which this peer is to be announced: each has a new path or other addresses. */
  toAnnounce: Interface[]
  /** An interface is gone or has other addresses than before, so other peers know addresses that are out of date. */
  haveAddressesChanged: boolean
}

/** Holds the interfaces in use, and the datagrams to send on them until the driver takes them. */
export class Outbox {
  readonly sent: Record<MessageType, number> = { beat: 0, record: 0, query: 0, bye: 0, probe: 0 }
  #interfaces: Interface[] = []
  readonly #outgoing = new Pending<OutgoingDatagram>()

  get interfaces(): readonly Interface[] {
    return this.#interfaces
  }

  /** The largest number of shared paths that one interface has. */
  get maxPaths(): number {
    return Math.max(0, ...this.#interfaces.map(({ paths }) => paths.length))
  }

  setInterfaces(interfaces: Interface[]): InterfaceChanges {
    const known = new Map(this.#interfaces.map((each) => [each.name, each]))
    const names = new Set(interfaces.map(({ name }) => name))
    const hasOtherAddresses = (each: Interface) => {
      const old = known.get(each.name)
      return old !== undefined && addressesOf(old) !== addressesOf(each)
    }
    const hasNewPath = ({ name, paths }: Interface) => paths.some((path) => !known.get(name)?.paths.includes(path))
    const removed = [...known.keys()].filter((name) => !names.has(name))
    this.#interfaces = interfaces
    return {
      removed,
      toAnnounce: interfaces.filter((each) => hasNewPath(each) || hasOtherAddresses(each)),
      haveAddressesChanged: removed.length > 0 || interfaces.some(hasOtherAddresses),
    }
  }

  find(name: string): Interface | undefined {
    return this.#interfaces.find((each) => each.name === name)
  }

  /** Sends a message to every peer: on each shared path of these interfaces. */
  sendShared(message: Message, interfaces: readonly Interface[] = this.#interfaces): void {
    for (const network of interfaces) this.sendAllShared([message], network)
  }

  /**
   * Sends several messages to every peer on one interface. On each path they directly follow each other, so that few
   * other datagrams come in between.
   */
  sendAllShared(messages: readonly Message[], { name, paths }: Interface): void {
    const datagrams = messages.map((message) => ({ message, bytes: encode(message) }))
    for (const path of paths) {
      for (const { message, bytes } of datagrams) {
        this.#add(message, { interface: name, to: path, bytes: withPath(bytes, path) })
      }
    }
  }

  /**
   * Sends a message to one address, if that is on the link. To an address of this machine the message goes on the shared
   * paths: several daemons of one machine share the port, and the system delivers a unicast datagram to only one of them.
   */
  sendUnicast(message: Message, to: DatagramSource): void {
    if (!to.onLink) return
    const { address, port } = to
    const through = this.find(to.interface)
    if (!through) return
    if (to.own) this.sendShared(message, [through])
    else this.#add(message, { interface: through.name, to: { address, port }, bytes: encode(message) })
  }

  get hasOutgoing(): boolean {
    return !this.#outgoing.isEmpty
  }

  takeOutgoing(): OutgoingDatagram[] {
    return this.#outgoing.take()
  }

  #add(message: Message, outgoing: OutgoingDatagram): void {
    this.sent[message.type]++
    this.#outgoing.add(outgoing)
  }
}

function addressesOf({ addresses }: Interface): string {
  return addresses.map(({ address }) => address).join(' ')
}

import { Budget, KeyedBudget } from '../../core/budget.ts'
import type { DatagramSource } from '../../core/link.ts'
import { MDNS_PORT, type Message, type OutgoingMessage } from '../../core/mdns/dns/messages.ts'
import type { LimitNotice } from '../../core/mdns/finder/quotas.ts'
import { errorOf } from '../../shared/caught-error.ts'
import { BonjourInstance, type Destination } from './bonjour-instance.ts'
import { compressNames, restoreDots } from './name-encoding.ts'
import { messageFromPacket, packetFromMessage } from './packet-conversion.ts'
import { MalformedPacket, PacketWalker, sanitizePacket } from './packet-layout.ts'

/** The port and the multicast groups of mDNS (RFC 6762, section 3). */
export const MDNS = { port: MDNS_PORT, group4: '224.0.0.251', group6: 'ff02::fb' } as const

/** The maximum size of a message, bytes (RFC 6762, section 17). */
const MAX_MESSAGE_BYTES = 9000

/** The maximum number of messages decoded per second, per sender and in total. */
const PER_SENDER = { perSecond: 500, burst: 1000 }
const TOTAL = { perSecond: 4000, burst: 8000 }

/** A message counts once per this many bytes or records. */
const MESSAGE_UNIT = { bytes: 1500, records: 10 }

/** How many different problems are reported. Each may repeat with every message. */
const MAX_REPORTED = 16
/** Another overload is reported after this time without one, ms. */
const OVERLOAD_QUIET_TIME = 60_000

type MulticastPath = 'multicast4' | 'multicast6'

/** Sockets on the mDNS port: a `Net` with a shared port. */
interface MdnsNet {
  send(interfaceName: string, path: MulticastPath, bytes: Uint8Array): void
  sendTo(interfaceName: string, address: string, port: number, bytes: Uint8Array): void
}

/** Why a datagram was dropped. */
type DropReason = 'off-link' | 'size' | 'budget' | 'layout' | 'opcode' | 'undecodable' | 'exception'

interface MdnsTransportOptions {
  net: MdnsNet
  /** The clock, monotonic ms. bonjour-service sends in a later turn, which needs the time of that turn. */
  now: () => number
  /** Called when messages were dropped because of the rate limit. */
  notice: (notice: LimitNotice) => void
  /** Called when bonjour-service fails, once per error message. */
  problem: (error: Error) => void
}

/**
 * Sends and receives mDNS messages. Each interface and IP version has its own instance of bonjour-service. No method
 * throws, whatever is received.
 */
export class MdnsTransport {
  readonly #net: MdnsNet
  readonly #now: () => number
  readonly #notice: (notice: LimitNotice) => void
  readonly #problem: (error: Error) => void
  readonly #instances = new Map<string, BonjourInstance>()
  readonly #loopback = new LoopbackFilter()
  readonly #senderBudget = new KeyedBudget(PER_SENDER.perSecond, PER_SENDER.burst)
  readonly #totalBudget = new Budget(TOTAL.perSecond, TOTAL.burst)
  readonly #reported = new Set<string>()
  #overloadedAt = Number.NEGATIVE_INFINITY
  /** Counts of datagrams. Own messages that looped back do not count as received. */
  readonly counters = { received: 0, sent: 0, dropped: 0 }
  #loopedBack = 0
  /** Counts of dropped datagrams by reason. */
  readonly dropsByReason: Record<DropReason, number> = {
    'off-link': 0,
    size: 0,
    budget: 0,
    layout: 0,
    opcode: 0,
    undecodable: 0,
    exception: 0,
  }

  constructor({ net, now, notice, problem }: MdnsTransportOptions) {
    this.#net = net
    this.#now = now
    this.#notice = notice
    this.#problem = problem
  }

  /** The number of own messages that looped back. */
  get loopedBack(): number {
    return this.#loopedBack
  }

  /** Sets the interfaces in use, each with its open shared paths. */
  setInterfaces(interfaces: readonly { name: string; paths: readonly string[] }[]): void {
    const wanted = new Set<string>()
    for (const { name, paths } of interfaces) {
      for (const path of ['multicast4', 'multicast6'] as const) {
        const link = `${name} ${path}`
        if (!paths.includes(path)) continue
        wanted.add(link)
        if (!this.#instances.has(link)) this.#open(link, name, path)
      }
    }
    for (const [link, instance] of this.#instances) {
      if (wanted.has(link)) continue
      this.#instances.delete(link)
      instance.close()
    }
  }

  #open(link: string, name: string, path: MulticastPath): void {
    try {
      const instance = new BonjourInstance((bytes, to) => this.#transmit(name, path, bytes, to))
      this.#instances.set(link, instance)
    } catch (error) {
      this.#report(error)
    }
  }

  /** Decodes a datagram. Returns undefined if it is dropped or an own message that looped back. */
  receive(bytes: Uint8Array, from: DatagramSource, now: number): Message | undefined {
    const datagram = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const link = `${from.interface} ${from.address.includes(':') ? 'multicast6' : 'multicast4'}`
    if (from.own && this.#loopback.isLoopback(link, datagram, now)) {
      this.#loopedBack++
      return undefined
    }
    this.counters.received++
    const instance = this.#instances.get(link)
    if (instance === undefined) return undefined
    // Multicast datagrams come from this link, whatever their source address (RFC 6762, section 11).
    if (from.path === 'unicast' && !from.onLink) return this.#drop('off-link')
    const reason = dropReason(datagram)
    if (reason !== undefined) return this.#drop(reason)
    try {
      const walker = new PacketWalker(datagram)
      if (!this.#takeBudget(datagram.length, walker.records, from, now)) {
        this.#noticeOverload(now)
        return this.#drop('budget')
      }
      const packet = instance.decode(sanitizePacket(datagram), from)
      return packet === undefined ? this.#drop('undecodable') : messageFromPacket(packet)
    } catch (error) {
      if (error instanceof MalformedPacket) return this.#drop('layout')
      this.#report(error)
      return this.#drop('undecodable')
    }
  }

  /** Counts a message as dropped because handling it failed, and reports the error once per error message. */
  failed(error: unknown): void {
    this.#drop('exception')
    this.#report(error)
  }

  #drop(reason: DropReason): undefined {
    this.counters.dropped++
    this.dropsByReason[reason]++
  }

  #noticeOverload(now: number): void {
    const isNewOverload = now - this.#overloadedAt > OVERLOAD_QUIET_TIME
    this.#overloadedAt = now
    if (isNewOverload) this.#notice({ type: 'limit', limit: 'packets', most: PER_SENDER.perSecond })
  }

  #takeBudget(bytes: number, records: number, { address }: DatagramSource, now: number): boolean {
    const cost = Math.ceil(Math.max(bytes / MESSAGE_UNIT.bytes, records / MESSAGE_UNIT.records))
    return this.#senderBudget.take(address, now, cost) && this.#totalBudget.take(now, cost)
  }

  /** Sends a message in a later turn. Multicasts use each IP version that is open on the interface. */
  send({ interface: name, to, message }: OutgoingMessage): void {
    const unicast = to === 'multicast' ? undefined : to
    for (const path of ['multicast4', 'multicast6'] as const) {
      if (unicast !== undefined && unicast.address.includes(':') !== (path === 'multicast6')) continue
      const group = path === 'multicast4' ? MDNS.group4 : MDNS.group6
      try {
        const instance = this.#instances.get(`${name} ${path}`)
        instance?.send(packetFromMessage(message), unicast ?? { address: group, port: MDNS.port })
      } catch (error) {
        this.#report(error)
      }
    }
  }

  #transmit(name: string, path: MulticastPath, encoded: Buffer, { address, port }: Destination): void {
    try {
      restoreDots(encoded)
      const bytes = compressNames(encoded)
      this.counters.sent++
      if (address !== MDNS.group4 && address !== MDNS.group6) {
        this.#net.sendTo(name, address, port, bytes)
        return
      }
      this.#loopback.sent(`${name} ${path}`, bytes, this.#now())
      this.#net.send(name, path, bytes)
    } catch (error) {
      this.#report(error)
    }
  }

  #report(error: unknown): void {
    const failure = errorOf(error)
    if (this.#reported.has(failure.message) || this.#reported.size >= MAX_REPORTED) return
    this.#reported.add(failure.message)
    this.#problem(failure)
  }

  /** Resolves when all pending messages are sent. Sends nothing after that. */
  async close(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve))
    for (const instance of this.#instances.values()) instance.close()
    this.#instances.clear()
  }
}

/** Checks the size and the header. */
function dropReason(bytes: Buffer): DropReason | undefined {
  if (bytes.length < 12 || bytes.length > MAX_MESSAGE_BYTES) return 'size'
  // Opcode and response code are 0 in all mDNS messages (RFC 6762, sections 18.3 and 18.11).
  return (bytes.readUInt16BE(2) & 0x780f) === 0 ? undefined : 'opcode'
}

/** How long a message may take to loop back, ms. */
const LOOPBACK_WINDOW = 2000

/** The maximum number of sent messages that are remembered. */
const MAX_SENT = 512

interface SentMessage {
  until: number
  /** How often the message was sent on each link and has not looped back yet. */
  pendingByLink: Map<string, number>
}

/**
 * Distinguishes own messages that the system loops back from equal messages of other programs on this machine. Two
 * programs that browse for the same type send identical queries.
 */
class LoopbackFilter {
  readonly #sent = new Map<string, SentMessage>()

  /** @param link interface name and path */
  sent(link: string, bytes: Buffer, now: number): void {
    const key = bytes.toString('latin1')
    const entry = this.#sent.get(key) ?? { until: 0, pendingByLink: new Map() }
    this.#sent.delete(key)
    this.#sent.set(key, entry)
    entry.until = now + LOOPBACK_WINDOW
    entry.pendingByLink.set(link, (entry.pendingByLink.get(link) ?? 0) + 1)
    for (const [oldest, { until }] of this.#sent) {
      if (this.#sent.size <= MAX_SENT && until > now) break
      this.#sent.delete(oldest)
    }
  }

  /**
   * Whether a message from this machine is an own one that looped back. A message loops back once on each link for each
   * time it was sent there. On links where it was not sent it always counts as looped back: two interfaces may be in
   * the same network.
   */
  isLoopback(link: string, bytes: Buffer, now: number): boolean {
    const entry = this.#sent.get(bytes.toString('latin1'))
    if (entry === undefined || entry.until < now) return false
    const due = entry.pendingByLink.get(link)
    if (due === undefined) return true
    if (due === 0) return false
    entry.pendingByLink.set(link, due - 1)
    return true
  }
}

import { Agenda } from '../../../../src/core/agenda.ts'
import type { DatagramSource, Interface } from '../../../../src/core/link.ts'
import type { Message, OutgoingMessage, Question } from '../../../../src/core/mdns/dns/messages.ts'
import type { ResourceRecord } from '../../../../src/core/mdns/dns/records.ts'
import type { MdnsNotice } from '../../../../src/core/mdns/mdns.ts'
import type { PublishedService } from '../../../../src/core/mdns/publisher/claim.ts'
import { Publisher } from '../../../../src/core/mdns/publisher/publisher.ts'
import type { Random } from '../../../../src/core/random.ts'
import { seededRandom } from '../../sim/network.ts'

/** A message that was sent on a network. */
export interface SentMessage {
  at: number
  from: string
  network: string
  to: OutgoingMessage['to']
  message: Message
}

/** A host with a publisher. `wires` maps each interface to its network. */
export interface SimulatedHost {
  name: string
  publisher: Publisher
  wires: Record<string, string>
  addresses: Record<string, Interface>
  notices: MdnsNotice[]
}

/** Networks in virtual time. Each message arrives twice, as over IPv4 and IPv6, at every host including the sender. */
export class Simulation {
  now = 1000
  /** The fraction of copies that are lost. */
  loss = 0
  /** Whether messages loop back to the sender. */
  echoes = true
  readonly agenda = new Agenda()
  readonly sent: SentMessage[] = []
  readonly hosts: SimulatedHost[] = []
  /** Networks on which no message reaches another host. */
  readonly cut = new Set<string>()
  readonly #random: Random

  constructor(seed = 'earshot') {
    this.#random = seededRandom(seed)
  }

  /** Adds a host that publishes these services, under the machine's name if it is given. */
  host(
    services: PublishedService[] = [],
    wires: Record<string, string> = { eth0: 'lan' },
    machine?: string,
  ): SimulatedHost {
    const number = this.hosts.length + 1
    const name = `host${number}`
    const notices: MdnsNotice[] = []
    const publisher = new Publisher({
      agenda: this.agenda,
      random: this.#random,
      send: (out) => this.#send(host, out),
      notice: (notice) => notices.push(notice),
    })
    const addresses = Object.fromEntries(
      Object.keys(wires).map((each, index) => [each, interfaceOf(each, `10.0.${index}.${number}`, number)]),
    )
    const host: SimulatedHost = { name, publisher, wires, addresses, notices }
    this.hosts.push(host)
    publisher.setInterfaces(Object.values(addresses), this.now)
    publisher.publish(`${name}.local`, services, this.now, machine)
    return host
  }

  run(milliseconds: number): void {
    const end = this.now + milliseconds
    for (let at = this.agenda.next; at !== undefined && at <= end; at = this.agenda.next) {
      this.now = Math.max(this.now, at)
      this.agenda.run(this.now)
    }
    this.now = end
  }

  /** Delivers a message to a host as if an unknown host had sent it. */
  deliver(host: SimulatedHost, message: Partial<Message>, from: Partial<DatagramSource> = {}): void {
    const source: DatagramSource = {
      interface: 'eth0',
      path: 'multicast4',
      address: '10.0.0.250',
      port: 5353,
      onLink: true,
      own: false,
      ...from,
    }
    host.publisher.receive(messageOf(message), source, this.now)
  }

  ask(
    host: SimulatedHost,
    questions: Question[],
    message: Partial<Message> = {},
    from: Partial<DatagramSource> = {},
  ): void {
    this.deliver(host, { kind: 'query', questions, ...message }, from)
  }

  /** Takes the messages since the last call. */
  take(): SentMessage[] {
    return this.sent.splice(0)
  }

  #send(from: SimulatedHost, out: OutgoingMessage): void {
    const network = from.wires[out.interface] ?? ''
    this.sent.push({ at: this.now, from: from.name, network, to: out.to, message: out.message })
    if (out.to !== 'multicast') return
    for (const host of this.hosts) {
      for (const [name, harness] of Object.entries(host.wires)) {
        if (host === from && !this.echoes) continue
        if (harness !== network || (host !== from && this.cut.has(network))) continue
        for (const { address } of from.addresses[out.interface]?.addresses ?? []) {
          if (host !== from && this.#random.number() < this.loss) continue
          this.agenda.add(this.now + 0.1 + 0.4 * this.#random.number(), (now) => {
            const path = address.includes(':') ? 'multicast6' : 'multicast4'
            const source: DatagramSource = {
              interface: name,
              path,
              address,
              port: 5353,
              onLink: true,
              own: host === from,
            }
            host.publisher.receive(out.message, source, now)
          })
        }
      }
    }
  }
}

export function interfaceOf(name: string, address: string, number: number): Interface {
  const addresses: Interface['addresses'] = [
    { address, family: 'ipv4' },
    { address: `fd00::${number}`, family: 'ipv6' },
  ]
  return { name, addresses, paths: ['multicast4', 'multicast6'] }
}

export function messageOf(message: Partial<Message>): Message {
  return {
    kind: 'response',
    id: 0,
    truncated: false,
    questions: [],
    answers: [],
    authorities: [],
    additionals: [],
    ...message,
  }
}

export function service(name: string, more: Partial<PublishedService> = {}): PublishedService {
  return { id: name, name, type: '_http._tcp', port: 80, txt: {}, subtypes: [], ...more }
}

/** Formats records as short lines, such as `SRV Office._http._tcp.local 120 flush 80 host1.local`. */
export function lines(records: readonly ResourceRecord[]): string[] {
  return records.map((record) => {
    const { name, ttl, flush } = record
    return [record.type, name, ttl, ...(flush ? ['flush'] : []), dataOf(record)].join(' ')
  })
}

function dataOf(record: ResourceRecord): string {
  if (record.type === 'SRV') return `${record.data.port} ${record.data.target}`
  if (record.type === 'TXT') return record.data.map((each) => `"${Buffer.from(each)}"`).join(' ')
  return record.type === 'NSEC' ? record.data.join(' ') : record.data
}

import { Agenda } from '../../../../src/core/agenda.ts'
import type { DatagramSource, Interface } from '../../../../src/core/link.ts'
import type { Message, OutgoingMessage, Question } from '../../../../src/core/mdns/dns/messages.ts'
import type { ResourceRecord } from '../../../../src/core/mdns/dns/records.ts'
import type { MdnsNotice } from '../../../../src/core/mdns/mdns.ts'
import type { PublishedService } from '../../../../src/core/mdns/publisher/claim.ts'
import { Publisher } from '../../../../src/core/mdns/publisher/publisher.ts'
import type { Random } from '../../../../src/core/random.ts'
import { seededRandom } from '../../sim/network.ts'

/** A message that went over a network. */
export interface Said {
  at: number
  from: string
  network: string
  to: OutgoingMessage['to']
  message: Message
}

/** A host with a publisher, and what it is wired to: a network's name by the interface's. */
export interface SimulatedHost {
  name: string
  publisher: Publisher
  wires: Record<string, string>
  addresses: Record<string, Interface>
  notices: MdnsNotice[]
}

/**
 * Networks in virtual time. Each message comes as two copies, as it does by IPv4 and by IPv6, to every host, and to
 * the one that sent it too.
 */
export class Simulation {
  now = 1000
  /** Share of the copies that get lost. */
  loss = 0
  /** Whether messages come back to the one that sent them, as they do where the system hands them back. */
  echoes = true
  readonly agenda = new Agenda()
  readonly said: Said[] = []
  readonly hosts: SimulatedHost[] = []
  /** Networks on which nothing reaches another host. */
  readonly cut = new Set<string>()
  readonly #random: Random

  constructor(seed = 'earshot') {
    this.#random = seededRandom(seed)
  }

  /** A host that publishes these services, under the machine's name if one is given. */
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

  /** Hands a host a message as if a stranger had sent it. */
  tell(host: SimulatedHost, message: Partial<Message>, heard: Partial<DatagramSource> = {}): void {
    const from: DatagramSource = {
      interface: 'eth0',
      path: 'multicast4',
      address: '10.0.0.250',
      port: 5353,
      onLink: true,
      own: false,
      ...heard,
    }
    host.publisher.receive(messageOf(message), from, this.now)
  }

  ask(
    host: SimulatedHost,
    questions: Question[],
    message: Partial<Message> = {},
    heard: Partial<DatagramSource> = {},
  ): void {
    this.tell(host, { kind: 'query', questions, ...message }, heard)
  }

  /** Takes what was said since it was last taken. */
  take(): Said[] {
    return this.said.splice(0)
  }

  #send(from: SimulatedHost, out: OutgoingMessage): void {
    const network = from.wires[out.interface] ?? ''
    this.said.push({ at: this.now, from: from.name, network, to: out.to, message: out.message })
    if (out.to !== 'multicast') return
    for (const host of this.hosts) {
      for (const [name, wire] of Object.entries(host.wires)) {
        if (host === from && !this.echoes) continue
        if (wire !== network || (host !== from && this.cut.has(network))) continue
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

/** The records as short lines: `SRV Office._http._tcp.local 120 flush 80 host1.local`. */
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

import { Agenda } from '../../../../src/core/agenda.ts'
import type { DatagramSource, Interface } from '../../../../src/core/link.ts'
import type { Message, OutgoingMessage, Question } from '../../../../src/core/mdns/dns/messages.ts'
import type { ResourceRecord } from '../../../../src/core/mdns/dns/records.ts'
import { instanceName, recordKey, sameName } from '../../../../src/core/mdns/dns/records.ts'
import type { IsConfirmedByBeacon } from '../../../../src/core/mdns/finder/cache-maintenance.ts'
import { Finder } from '../../../../src/core/mdns/finder/finder.ts'
import type { MdnsNotice } from '../../../../src/core/mdns/mdns.ts'
import type { Sighting } from '../../../../src/core/presence/peers/types.ts'
import { seededRandom } from '../../sim/network.ts'

export const ETH0: Interface = {
  name: 'eth0',
  addresses: [{ address: '10.0.0.1', family: 'ipv4' }],
  paths: ['multicast4'],
}
export const ETH1: Interface = {
  name: 'eth1',
  addresses: [{ address: '10.1.0.1', family: 'ipv4' }],
  paths: ['multicast4'],
}

/** A Finder in virtual time, on a segment with devices that answer. */
export class Stage {
  now = 1000
  readonly agenda = new Agenda()
  readonly finder: Finder
  readonly sent: { at: number; out: OutgoingMessage }[] = []
  readonly reports: { at: number; sighting: Sighting }[] = []
  readonly notices: MdnsNotice[] = []
  readonly devices: Device[] = []
  readonly random = seededRandom('finder')
  /** The fraction of messages that are lost, questions and answers separately. */
  loss = 0
  /** What beacons confirm, and what this host publishes. */
  isConfirmedByBeacon: IsConfirmedByBeacon = () => false
  published: ResourceRecord[] = []
  ownHostname = ''

  constructor(browse: string[] = ['_ipp._tcp', '_http._tcp'], interfaces: Interface[] = [ETH0]) {
    this.finder = new Finder({
      agenda: this.agenda,
      random: this.random,
      browse,
      send: (out) => this.#deliver(out),
      notice: (notice) => this.notices.push(notice),
      sighted: (sighting) => this.reports.push({ at: this.now, sighting }),
      isConfirmedByBeacon: (host, assertion) => this.isConfirmedByBeacon(host, assertion),
      isPublished: (_, record) => this.published.some((own) => recordKey(own) === recordKey(record)),
      isOwnHostname: (name) => sameName(name, this.ownHostname),
    })
    this.finder.setInterfaces(interfaces, this.now)
    this.finder.start(this.now)
  }

  run(ms: number): void {
    const end = this.now + ms
    for (let { next } = this.agenda; next !== undefined && next <= end; next = this.agenda.next) {
      this.now = Math.max(this.now, next)
      this.agenda.run(this.now)
    }
    this.now = end
  }

  receive(answers: ResourceRecord[], from: Partial<DatagramSource> = {}, message: Partial<Message> = {}): void {
    this.finder.receive({ ...EMPTY, answers, ...message }, { ...FROM, ...from }, this.now)
  }

  /** The last sighting of a host. */
  last(id: string): Sighting | undefined {
    return this.reports.findLast(({ sighting }) => sighting.id === id)?.sighting
  }

  /** The reported states of a host with their times, without repetitions. */
  states(id: string): { at: number; state: string }[] {
    const all = this.reports
      .filter(({ sighting }) => sighting.id === id)
      .map(({ at, sighting: { state } }) => ({ at, state }))
    return all.filter(({ state }, i) => state !== all[i - 1]?.state)
  }

  /** When a question was asked, ms after `since`. */
  asked(type: Question['type'], name: string, since = 0): number[] {
    return this.sent
      .filter(({ out }) => out.message.questions.some((one) => one.type === type && sameName(one.name, name)))
      .map(({ at }) => at - since)
      .filter((at) => at >= 0)
  }

  #deliver(out: OutgoingMessage): void {
    this.sent.push({ at: this.now, out })
    for (const device of this.devices) {
      if (device.interface !== out.interface || this.#loses()) continue
      const answers = device.answer(out.message)
      if (answers.length === 0 || this.#loses()) continue
      const from = { interface: out.interface, address: device.address }
      this.agenda.add(this.now + 5, () => this.receive(answers, from))
    }
  }

  #loses(): boolean {
    return this.loss > 0 && this.random.number() < this.loss
  }
}

const EMPTY: Message = {
  kind: 'response',
  id: 0,
  truncated: false,
  questions: [],
  answers: [],
  authorities: [],
  additionals: [],
}
export const FROM: DatagramSource = {
  interface: 'eth0',
  path: 'multicast4',
  address: '10.0.0.9',
  port: 5353,
  onLink: true,
  own: false,
}

export function ptr(instance: string, type = '_ipp._tcp', ttl = 4500): ResourceRecord {
  return { name: `${type}.local`, type: 'PTR', ttl, flush: false, data: instanceName(instance, type) }
}

export function srv(instance: string, target: string, type = '_ipp._tcp', port = 631, ttl = 120): ResourceRecord {
  return {
    name: instanceName(instance, type),
    type: 'SRV',
    ttl,
    flush: true,
    data: { priority: 0, weight: 0, port, target },
  }
}

export function txt(instance: string, strings: string[], type = '_ipp._tcp', ttl = 4500): ResourceRecord {
  return {
    name: instanceName(instance, type),
    type: 'TXT',
    ttl,
    flush: true,
    data: strings.map((string) => Buffer.from(string)),
  }
}

export function a(name: string, address: string, ttl = 120): ResourceRecord {
  return { name, type: 'A', ttl, flush: true, data: address }
}

export function aaaa(name: string, address: string, ttl = 120): ResourceRecord {
  return { name, type: 'AAAA', ttl, flush: true, data: address }
}

/** All records of one service, as a well-behaved device announces them. */
export function service(instance: string, host: string, address: string, type = '_ipp._tcp'): ResourceRecord[] {
  return [ptr(instance, type), srv(instance, host, type), txt(instance, ['k=v'], type), a(host, address)]
}

/** Goodbyes for the records. */
export function goodbye(records: ResourceRecord[]): ResourceRecord[] {
  return records.map((record) => ({ ...record, ttl: 0 }))
}

/** A device that answers queries while it is alive. */
export class Device {
  readonly interface: string
  readonly address: string
  records: ResourceRecord[]
  alive = true

  constructor(records: ResourceRecord[], address = '10.0.0.9', on = 'eth0') {
    this.records = records
    this.address = address
    this.interface = on
  }

  answer(query: Message): ResourceRecord[] {
    if (!this.alive) return []
    const known = new Set(query.answers.map(recordKey))
    return this.records.filter((record) => {
      const isAsked = query.questions.some(({ name, type }) => type === record.type && sameName(name, record.name))
      return isAsked && !known.has(recordKey(record))
    })
  }
}

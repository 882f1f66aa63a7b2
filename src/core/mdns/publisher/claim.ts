import { isDeepStrictEqual } from 'node:util'
import { Budget } from '../../budget.ts'
import type { InterfaceAddress } from '../../link.ts'
import { instanceName, numberedLabel, sameName, truncateLabel } from '../dns/names.ts'
import type { PublishedService, RecordType, ResourceRecord } from '../dns/types.ts'
import { hostRecords, reverseRecords, serviceRecords } from './service-records.ts'

/** A service's changes told at once, and per second from then on. */
const UPDATE_BURST = 4
const UPDATES_PER_SECOND = 1

/** A name that is to be this host's alone, and the records that come with it. */
export interface Claim {
  /** The full name in use. */
  readonly name: string
  /** The types of its unique records: whoever else has one of those under the name is in conflict with us. */
  readonly types: readonly RecordType[]
  /** Its records on an interface of these addresses; the unique ones have the flush bit. */
  records(hostname: string, addresses: readonly InterfaceAddress[]): readonly ResourceRecord[]
  /** Takes the next name that is free among our own. */
  rename(isFree: (name: string) => boolean): void
}

/**
 * The host's name: that of the machine, if it is given, as long as nobody has it; then `k3vq7m2xa4.local`, then
 * `k3vq7m2xa4-2.local`.
 */
export class HostClaim implements Claim {
  readonly types = ['A', 'AAAA'] as const
  readonly preferred: string
  readonly #machineName: string | undefined
  #number: number

  constructor(wanted: string, machine?: string) {
    this.preferred = wanted
    this.#machineName = machine
    this.#number = machine === undefined ? 1 : 0
  }

  /** Whether the name in use is the machine's, to which its own mDNS program has the older right. */
  get isMachineName(): boolean {
    return this.#number === 0
  }

  get name(): string {
    if (this.#number === 0 && this.#machineName !== undefined) return this.#machineName
    return this.#number === 1 ? this.preferred : this.preferred.replace(/(?=\.local$)/i, `-${this.#number}`)
  }

  /** Under a name beside the machine's, those that lead from addresses to names are left to whoever has the machine's. */
  records(_hostname: string, addresses: readonly InterfaceAddress[]): readonly ResourceRecord[] {
    const records = hostRecords(this.name, addresses)
    return this.isMachineName ? [...records, ...reverseRecords(this.name, addresses)] : records
  }

  rename(): void {
    this.#number++
  }
}

/** A service's instance name: `Office`, then `Office (2)`. */
export class ServiceClaim implements Claim {
  readonly types = ['SRV', 'TXT'] as const
  /** How often changes of the service are told. */
  readonly updateBudget = new Budget(UPDATES_PER_SECOND, UPDATE_BURST)
  #service: PublishedService
  #instance: string
  #number = 1
  /** Its records, and the host name that they were made for. */
  #built: { hostname: string; records: readonly ResourceRecord[] } | undefined

  constructor(service: PublishedService) {
    this.#service = service
    this.#instance = truncateLabel(service.name)
  }

  get service(): PublishedService {
    return this.#service
  }

  get instance(): string {
    return this.#instance
  }

  get name(): string {
    return instanceName(this.#instance, this.#service.type)
  }

  /** Whether a service may take this one's place under the name in use. */
  canBecome({ name, type }: PublishedService): boolean {
    return name === this.#service.name && sameName(type, this.#service.type)
  }

  /** Takes the service as it is now; false when it is as it was. */
  update(service: PublishedService): boolean {
    if (isDeepStrictEqual(service, this.#service)) return false
    this.#service = service
    this.#built = undefined
    return true
  }

  records(hostname: string): readonly ResourceRecord[] {
    if (this.#built?.hostname !== hostname) {
      this.#built = { hostname, records: serviceRecords(this.#service, this.#instance, hostname) }
    }
    return this.#built.records
  }

  rename(isFree: (name: string) => boolean): void {
    do {
      this.#number++
      this.#instance = numberedLabel(this.#service.name, this.#number)
    } while (!isFree(this.name))
    this.#built = undefined
  }
}

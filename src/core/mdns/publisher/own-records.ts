import type { Question } from '../dns/messages.ts'
import { nameKey, type RecordType, type ResourceRecord, recordKey, uncachedRecordKey } from '../dns/records.ts'
import type { Claim } from './claim.ts'

/** The records that this host publishes on one interface: those of all successfully claimed names. */
export class OwnRecords {
  readonly #claims = new Map<Claim, readonly ResourceRecord[]>()
  /** By name key, then by record key. Built when it is needed. */
  #index: Map<string, Map<string, ResourceRecord>> | undefined

  has(claim: Claim): boolean {
    return this.#claims.has(claim)
  }

  /** The records of these claims without duplicates. */
  recordsOf(claims: readonly Claim[]): ResourceRecord[] {
    const records = claims.flatMap((claim) => this.#claims.get(claim) ?? [])
    return [...new Map(records.map((record) => [recordKey(record), record])).values()]
  }

  /** Sets the records of a claim. Replaces the previous ones. */
  set(claim: Claim, records: readonly ResourceRecord[]): void {
    this.#claims.set(claim, records)
    this.#index = undefined
  }

  /** Removes a claim. Returns the records that no other claim contains. */
  remove(claim: Claim): ResourceRecord[] {
    const records = this.recordsOf([claim])
    this.#claims.delete(claim)
    this.#index = undefined
    return records.filter((record) => !this.find(record))
  }

  /** Removes all claims. Returns their records. */
  clear(): ResourceRecord[] {
    const records = this.recordsOf([...this.#claims.keys()])
    this.#claims.clear()
    this.#index = undefined
    return records
  }

  /** Finds the own record with the same name, type and data. */
  find(record: ResourceRecord): ResourceRecord | undefined {
    return this.#recordsNamed(record.name)?.get(uncachedRecordKey(record))
  }

  /**
   * The answers to a question. If a unique name has no record of the type, the answer is an NSEC record (RFC 6762,
   * section 6.1).
   */
  answersTo({ name, type }: Question): ResourceRecord[] {
    const records = [...(this.#recordsNamed(name)?.values() ?? [])]
    if (type === 'ANY') return records.filter((record) => record.type !== 'NSEC')
    const answers = records.filter((record) => record.type === type)
    return answers.length > 0 ? answers : records.filter((record) => record.type === 'NSEC')
  }

  /** The additional records for an answer (RFC 6763, section 12). */
  additionalsTo(record: ResourceRecord): ResourceRecord[] {
    switch (record.type) {
      case 'PTR': {
        const service = this.answersTo({ name: record.data, type: 'ANY' }).filter(({ flush }) => flush)
        return [...service, ...service.flatMap((each) => this.additionalsTo(each))]
      }
      case 'SRV':
        return this.#addresses(record.data.target)
      case 'A':
      case 'AAAA':
        return this.#addresses(record.name)
      default:
        return []
    }
  }

  /** The addresses of a host, and an NSEC record if it has none of one IP version. */
  #addresses(name: string): ResourceRecord[] {
    const answers = (['A', 'AAAA'] as const).flatMap((type) => this.answersTo({ name, type }))
    return [...new Set(answers)]
  }

  #recordsNamed(name: string): Map<string, ResourceRecord> | undefined {
    this.#index ??= indexByName([...this.#claims.values()].flat())
    return this.#index.get(nameKey(name))
  }
}

function indexByName(all: readonly ResourceRecord[]): Map<string, Map<string, ResourceRecord>> {
  const index = new Map<string, Map<string, ResourceRecord>>()
  for (const record of all) {
    const key = nameKey(record.name)
    const named = index.get(key) ?? new Map<string, ResourceRecord>()
    index.set(key, named.set(recordKey(record), record))
  }
  for (const named of index.values()) {
    const nsec = nsecFor([...named.values()])
    if (nsec) named.set(recordKey(nsec), nsec)
  }
  return index
}

/** The NSEC record that lists which types exist under a unique name. Shared names have none. */
function nsecFor(records: readonly ResourceRecord[]): ResourceRecord | undefined {
  const [first] = records
  if (!first || !records.every(({ flush }) => flush)) return undefined
  const data = new Set<Exclude<RecordType, 'NSEC'>>()
  for (const { type } of records) if (type !== 'NSEC') data.add(type)
  const ttl = Math.min(...records.map((record) => record.ttl))
  return { name: first.name, type: 'NSEC', ttl, flush: true, data: [...data] }
}

import type { Question } from '../dns/messages.ts'
import { nameKey, type RecordType, type ResourceRecord, recordKey, uncachedRecordKey } from '../dns/records.ts'
import type { Claim } from './claim.ts'

/** The records that are ours on one interface: those of the claims that nobody contested. */
export class OwnRecords {
  readonly #claims = new Map<Claim, readonly ResourceRecord[]>()
  /** By key of the name, then of the record; made when it is needed. */
  #index: Map<string, Map<string, ResourceRecord>> | undefined

  has(claim: Claim): boolean {
    return this.#claims.has(claim)
  }

  /** Records of these claims, those that several need once. */
  recordsOf(claims: readonly Claim[]): ResourceRecord[] {
    const records = claims.flatMap((claim) => this.#claims.get(claim) ?? [])
    return [...new Map(records.map((record) => [recordKey(record), record])).values()]
  }

  /** Holds a claim's records, in place of those held for it so far. */
  set(claim: Claim, records: readonly ResourceRecord[]): void {
    this.#claims.set(claim, records)
    this.#index = undefined
  }

  /** Returns the records that nothing else needs. */
  remove(claim: Claim): ResourceRecord[] {
    const records = this.recordsOf([claim])
    this.#claims.delete(claim)
    this.#index = undefined
    return records.filter((record) => !this.find(record))
  }

  /** Returns all that was held. */
  clear(): ResourceRecord[] {
    const records = this.recordsOf([...this.#claims.keys()])
    this.#claims.clear()
    this.#index = undefined
    return records
  }

  /** Our own record of the same name, type and data. */
  find(record: ResourceRecord): ResourceRecord | undefined {
    return this.#recordsNamed(record.name)?.get(uncachedRecordKey(record))
  }

  /** Of a name that is ours alone, a negative answer where the type is missing (RFC 6762, section 6.1). */
  answersTo({ name, type }: Question): ResourceRecord[] {
    const records = [...(this.#recordsNamed(name)?.values() ?? [])]
    if (type === 'ANY') return records.filter((record) => record.type !== 'NSEC')
    const answers = records.filter((record) => record.type === type)
    return answers.length > 0 ? answers : records.filter((record) => record.type === 'NSEC')
  }

  /** What whoever hears the record will ask for next (RFC 6763, section 12). */
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

  /** A host's addresses; where it has none of one IP version, that as well. */
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
    const negative = nsecFor([...named.values()])
    if (negative) named.set(recordKey(negative), negative)
  }
  return index
}

/** Says which records of a name there are, and so which there are not. Of a shared name nobody can say that. */
function nsecFor(records: readonly ResourceRecord[]): ResourceRecord | undefined {
  const [first] = records
  if (!first || !records.every(({ flush }) => flush)) return undefined
  const data = new Set<Exclude<RecordType, 'NSEC'>>()
  for (const { type } of records) if (type !== 'NSEC') data.add(type)
  const ttl = Math.min(...records.map((record) => record.ttl))
  return { name: first.name, type: 'NSEC', ttl, flush: true, data: [...data] }
}

import { keyOf } from '../names.ts'
import { passingKey, recordKey } from '../rdata.ts'
import type { Question, ResourceRecord } from '../types.ts'
import type { Claim } from './claim.ts'

/** The records that are ours on one interface: those of the claims that nobody contested. */
export class Holdings {
  readonly #claims = new Map<Claim, readonly ResourceRecord[]>()
  /** By key of the name, then of the record; made when it is needed. */
  #index: Map<string, Map<string, ResourceRecord>> | undefined

  holds(claim: Claim): boolean {
    return this.#claims.has(claim)
  }

  /** Records of these claims, those that several need once. */
  of(claims: readonly Claim[]): ResourceRecord[] {
    const records = claims.flatMap((claim) => this.#claims.get(claim) ?? [])
    return [...new Map(records.map((record) => [recordKey(record), record])).values()]
  }

  /** Holds a claim's records, in place of those held for it so far. */
  hold(claim: Claim, records: readonly ResourceRecord[]): void {
    this.#claims.set(claim, records)
    this.#index = undefined
  }

  /** Returns the records that nothing else needs. */
  drop(claim: Claim): ResourceRecord[] {
    const records = this.of([claim])
    this.#claims.delete(claim)
    this.#index = undefined
    return records.filter((record) => !this.find(record))
  }

  /** Returns all that was held. */
  clear(): ResourceRecord[] {
    const records = this.of([...this.#claims.keys()])
    this.#claims.clear()
    this.#index = undefined
    return records
  }

  /** Our own record of the same name, type and data. */
  find(record: ResourceRecord): ResourceRecord | undefined {
    return this.#named(record.name)?.get(passingKey(record))
  }

  answersTo({ name, type }: Question): ResourceRecord[] {
    const records = [...(this.#named(name)?.values() ?? [])]
    return type === 'ANY' ? records : records.filter((record) => record.type === type)
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
      case 'TXT':
        return []
    }
  }

  #addresses(hostname: string): ResourceRecord[] {
    return this.answersTo({ name: hostname, type: 'ANY' })
  }

  #named(name: string): Map<string, ResourceRecord> | undefined {
    if (!this.#index) {
      this.#index = new Map()
      for (const record of [...this.#claims.values()].flat()) {
        const key = keyOf(record.name)
        const named = this.#index.get(key) ?? new Map<string, ResourceRecord>()
        this.#index.set(key, named.set(recordKey(record), record))
      }
    }
    return this.#index.get(keyOf(name))
  }
}

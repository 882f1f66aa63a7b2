import { nameKey } from '../dns/names.ts'
import { uncachedRecordKey } from '../dns/rdata.ts'
import type { Message } from '../dns/types.ts'

/** How far apart the two copies of a query may come, ms: less than the second after which a question is asked again. */
const DUPLICATE_WINDOW = 300
/** So many queries are remembered at most: beyond, the oldest is forgotten, and its copy answered once more. */
const MAX_QUERIES = 64

interface ReceivedQuery {
  key: string
  isIpv6: boolean
  at: number
}

/** Tells the second copy of a query, which most hosts ask over IPv4 and IPv6 both, from one that is asked again. */
export class QueryDuplicates {
  /** Those whose other copy has not come, the oldest first. */
  #queries: ReceivedQuery[] = []

  /** Whether the same query has come over the other IP version, and that one had no copy yet. */
  isDuplicate(message: Message, address: string, now: number): boolean {
    const query = { key: queryKey(message), isIpv6: address.includes(':'), at: now }
    this.#queries = this.#queries.filter(({ at }) => at > now - DUPLICATE_WINDOW)
    const other = this.#queries.findIndex(({ key, isIpv6 }) => key === query.key && isIpv6 !== query.isIpv6)
    if (other === -1) this.#queries = [...this.#queries.slice(1 - MAX_QUERIES), query]
    else this.#queries.splice(other, 1)
    return other !== -1
  }
}

function queryKey({ questions, truncated, answers, authorities }: Message): string {
  const asked = questions.map(({ name, type, unicast }) => `${nameKey(name)} ${type} ${unicast ?? ''}`)
  return [truncated, ...asked, ...answers.map(uncachedRecordKey), ...authorities.map(uncachedRecordKey)].join('\n')
}

import { keyOf } from '../dns/names.ts'
import { passingKey } from '../dns/rdata.ts'
import type { Message } from '../dns/types.ts'

/** How far apart the two copies of a query may come, ms: less than the second after which a question is asked again. */
const WITHIN = 300
/** So many queries are remembered at most: beyond, the oldest is forgotten, and its copy answered once more. */
const MOST = 64

interface Query {
  key: string
  isIpv6: boolean
  at: number
}

/** Tells the second copy of a query, which most hosts ask over IPv4 and IPv6 both, from one that is asked again. */
export class Copies {
  /** Those whose other copy has not come, the oldest first. */
  #queries: Query[] = []

  /** Whether the same query has come over the other IP version, and that one had no copy yet. */
  isCopy(message: Message, address: string, now: number): boolean {
    const query = { key: keyOfQuery(message), isIpv6: address.includes(':'), at: now }
    this.#queries = this.#queries.filter(({ at }) => at > now - WITHIN)
    const other = this.#queries.findIndex(({ key, isIpv6 }) => key === query.key && isIpv6 !== query.isIpv6)
    if (other === -1) this.#queries = [...this.#queries.slice(1 - MOST), query]
    else this.#queries.splice(other, 1)
    return other !== -1
  }
}

function keyOfQuery({ questions, truncated, answers, authorities }: Message): string {
  const asked = questions.map(({ name, type, unicast }) => `${keyOf(name)} ${type} ${unicast ?? ''}`)
  return [truncated, ...asked, ...answers.map(passingKey), ...authorities.map(passingKey)].join('\n')
}

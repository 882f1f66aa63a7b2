import fc from 'fast-check'
import type { Message, Question } from '../../../../src/core/mdns/dns/messages.ts'
import type { ResourceRecord } from '../../../../src/core/mdns/dns/records.ts'

const UINT16 = fc.integer({ min: 0, max: 65_535 })
const TTL = fc.constantFrom(0, 1, 10, 120, 4500, 0x7fffffff, 2 ** 31)

/** What the records are made of. What is left out is any value that is valid. */
interface RecordParts {
  name: fc.Arbitrary<string>
  ttl?: fc.Arbitrary<number>
  /** The target of a PTR or an SRV record. By default it is a name like all others. */
  target?: fc.Arbitrary<string>
  priority?: fc.Arbitrary<number>
  port?: fc.Arbitrary<number>
  strings?: fc.Arbitrary<Uint8Array[]>
  ipv4?: fc.Arbitrary<string>
  ipv6?: fc.Arbitrary<string>
}

/** Resource records, by type. */
export function recordsByType({
  name,
  ttl = TTL,
  target = name,
  priority = UINT16,
  port = UINT16,
  strings = fc.array(fc.uint8Array({ maxLength: 255 }), { maxLength: 4 }),
  ipv4 = fc.ipV4(),
  ipv6 = fc.ipV6(),
}: RecordParts) {
  const of = <Type extends ResourceRecord['type'], Data>(type: Type, data: fc.Arbitrary<Data>) =>
    fc.record({ name, ttl, flush: fc.boolean(), type: fc.constant(type), data })
  return {
    PTR: of('PTR', target),
    SRV: of('SRV', fc.record({ priority, weight: UINT16, port, target })),
    TXT: of('TXT', strings),
    A: of('A', ipv4),
    AAAA: of('AAAA', ipv6),
  }
}

/** Messages of such records, with questions for their names. `kinds` may repeat a kind, to make it more frequent. */
export function messageOf(
  parts: RecordParts,
  kinds: readonly Message['kind'][] = ['query', 'response'],
): fc.Arbitrary<Message> {
  const { PTR, SRV, TXT, A, AAAA } = recordsByType(parts)
  const records = fc.array(fc.oneof(PTR, SRV, TXT, A, AAAA), { maxLength: 8 })
  const question: fc.Arbitrary<Question> = fc.record({
    name: parts.name,
    type: fc.constantFrom('PTR', 'SRV', 'TXT', 'A', 'AAAA', 'ANY'),
  })
  return fc.record({
    kind: fc.constantFrom(...kinds),
    id: UINT16,
    truncated: fc.boolean(),
    questions: fc.array(question),
    answers: records,
    authorities: records,
    additionals: records,
  })
}

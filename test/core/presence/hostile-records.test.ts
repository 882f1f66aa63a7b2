import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodeDigest } from '../../../src/core/wire/hash-chain.ts'
import { createIdentity, type Identity, signRecordBytes } from '../../../src/core/wire/identity.ts'
import type { SignedRecord } from '../../../src/core/wire/record.ts'
import { recordDatagrams } from '../../acceptance/synthetic-peer.ts'
import { SimNetwork } from '../sim/network.ts'

const DIGEST = encodeDigest(new Uint8Array(16))
const RECORD = {
  name: 'stranger',
  hostname: 'stranger',
  addresses: ['10.0.0.250'],
  interval: 1000,
  services: [{ id: 'web', name: 'web', type: '_http._tcp', port: 80, txt: { path: '/' }, subtypes: ['_s'] }],
  attributes: { role: 'test' },
  version: 'x',
  anchor: { sequence: 0, value: DIGEST },
  goodbye: DIGEST,
}
const TEXT = JSON.stringify(RECORD)

/** Any text signed with a valid key. */
function signed(identity: Identity, recordVersion: number, text: string): SignedRecord {
  const bytes = Buffer.from(text)
  const joined = Buffer.concat([identity.publicKey, signRecordBytes(identity, 1, recordVersion, bytes), bytes])
  return { id: identity.id, incarnation: 1, recordVersion, joined }
}

const key = fc.oneof(
  fc.constantFrom('__proto__', 'constructor', 'toString', 'length', 'then', 'toJSON', '', 'name', 'anchor', 'services'),
  fc.string({ unit: 'binary', maxLength: 80 }),
)
/** Pieces of JSON text of many shapes: deep, wide, with odd numbers and strings. */
const piece = fc.oneof(
  fc
    .tuple(fc.constantFrom(['[', ']'], ['{"a":', '}'], ['[{"__proto__":', '}]']), fc.nat({ max: 8000 }))
    .map(([[open, close], depth]) => {
      const levels = Math.min(depth, Math.floor(15_000 / (`${open}${close}`.length + 1)))
      return `${open?.repeat(levels)}1${close?.repeat(levels)}`
    }),
  fc.nat({ max: 7000 }).map((width) => `[${new Array(width).fill('1').join()}]`),
  fc.nat({ max: 1500 }).map((width) => `{${Array.from({ length: width }, (_, i) => `"${i}":1`).join()}}`),
  fc.constantFrom('1e999', '-1e999', '1e-999', '-0', '0.1e1', '9'.repeat(400), '1e3', 'true', 'null', '""', '[]', '{}'),
  fc.constantFrom('"\\ud83d"', '"\\udc42\\ud83d"', '"\\u0000"', '"\\u001b[2J"', '"\\u2028"', `"${'x'.repeat(9000)}"`),
  fc.json({ maxDepth: 6 }),
  fc.tuple(key, fc.jsonValue()).map(([name, value]) => JSON.stringify(Object.fromEntries([[name, value]]))),
)
/** A record with such a piece inserted: in place of a value, or as an additional member. */
const hostile = fc.oneof(
  fc
    .tuple(fc.constantFrom(...(TEXT.match(/:(?:"[^"]*"|\d+)/g) ?? [])), piece)
    .map(([value, text]) => TEXT.replace(value, () => `:${text}`)),
  fc.tuple(fc.nat({ max: TEXT.split('{').length - 2 }), key, piece).map(([place, name, text]) => {
    const parts = TEXT.split('{')
    const before = parts.slice(0, place + 1).join('{')
    return `${before}{${JSON.stringify(name)}:${text},${parts.slice(place + 1).join('{')}`
  }),
  piece,
)

describe('a record of any shape with a valid signature', () => {
  it('causes no exception and leaves no unpaired surrogate, in two versions', () => {
    const network = new SimNetwork('hostile')
    const host = network.host({ name: 'watcher' })
    let taken = 0
    fc.assert(
      fc.property(hostile, hostile, (first, second) => {
        const identity = createIdentity()
        for (const [at, text] of [first, second].entries()) {
          for (const bytes of recordDatagrams(signed(identity, at + 1, text.slice(0, 16_384)))) {
            network.inject(host, bytes)
          }
        }
        const told = JSON.stringify(host.presence.find(identity.id))
        if (told !== '[]') taken++
        expect(told).not.toMatch(/\\ud[89a-f]/)
        network.run(200)
      }),
      { numRuns: 400 },
    )
    expect(host.refused('exception')).toBe(0)
    expect(taken).toBeGreaterThan(50)
    expect(JSON.stringify(host.presence.changesSince(0))).not.toMatch(/\\ud[89a-f]/)
  })

  it('is compared and reported without its unknown members, at any depth', () => {
    const network = new SimNetwork('deep')
    const host = network.host({ name: 'watcher' })
    const identity = createIdentity()
    const levels = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`
    const texts = [31, 30, 7000].map((depth) => TEXT.replace('{', `{"later":${levels(depth)},`))
    for (const [at, text] of texts.entries()) {
      for (const bytes of recordDatagrams(signed(identity, at + 1, text))) network.inject(host, bytes)
    }
    expect(host.presence.find(identity.id)).toMatchObject([{ name: 'stranger', recordVersion: 2 }])
    expect(host.presence.changesSince(0)?.flatMap(({ type, own }) => (own ? [] : [type]))).toEqual([
      'peer-up',
      'service-up',
    ])
    expect(host.refused('bad-record')).toBe(1)
  })
})

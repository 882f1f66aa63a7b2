import fc from 'fast-check'
import { DIGEST_BYTES } from '../../../src/core/wire/hash-chain.ts'
import { readId } from '../../../src/core/wire/id-bytes.ts'
import {
  BYE_BODY_BYTES,
  KEY_AND_SIGNATURE_BYTES,
  type Message,
  PART_BYTES,
  PATHS,
} from '../../../src/core/wire/messages.ts'
import type { PeerRecord } from '../../../src/core/wire/record-schema.ts'

const u32 = fc.nat({ max: 0xffffffff })
const digest = fc.uint8Array({ minLength: DIGEST_BYTES, maxLength: DIGEST_BYTES })
export const peerId = digest.map((bytes) => readId(bytes))

const header = { path: fc.constantFrom(...PATHS), id: peerId, incarnation: u32, sequence: u32 }

const part = fc.nat({ max: 14 }).chain((last) =>
  fc.nat({ max: last }).chain((part) => {
    const minLength = part < last ? PART_BYTES : last === 0 ? KEY_AND_SIGNATURE_BYTES + 2 : 1
    return fc.record({
      part: fc.constant(part),
      parts: fc.constant(last + 1),
      bytes: fc.uint8Array({ minLength, maxLength: PART_BYTES, size: 'max' }),
    })
  }),
)

/** Any valid message. */
export const message: fc.Arbitrary<Message> = fc.oneof(
  fc.record({
    type: fc.constant('beat' as const),
    ...header,
    recordVersion: u32,
    echo: u32,
    number: u32,
    sent: u32,
    reveal: digest,
  }),
  fc
    .tuple(fc.record({ type: fc.constant('record' as const), ...header, recordVersion: u32 }), part)
    .map(([record, part]) => ({ ...record, ...part })),
  fc.record({ type: fc.constant('query' as const), ...header, nonce: u32, ids: fc.array(peerId, { maxLength: 64 }) }),
  fc.record({
    type: fc.constant('bye' as const),
    ...header,
    secret: fc.uint8Array({ minLength: BYE_BODY_BYTES, maxLength: BYE_BODY_BYTES }),
  }),
  fc.record({ type: fc.constant('probe' as const), ...header, nonce: u32, target: peerId }),
)

const visible = (limits: { minLength?: number; maxLength: number }) =>
  fc.string({ ...limits, unit: 'binary' }).filter((text) => !/\p{Cc}/u.test(text))
const key = fc
  .string({ minLength: 1, maxLength: 64, unit: 'binary-ascii' })
  .filter((text) => /^[!-~]+$/.test(text) && text !== '__proto__')
const written = digest.map((bytes) => Buffer.from(bytes).toString('base64url'))

/** Any valid record that is smaller than 16 KiB. */
export const record: fc.Arbitrary<PeerRecord> = fc.record({
  name: visible({ minLength: 1, maxLength: 63 }),
  hostname: visible({ maxLength: 40 }),
  addresses: fc.array(fc.oneof(fc.ipV4(), fc.ipV6()), { maxLength: 4 }),
  interval: fc.integer({ min: 100, max: 3_600_000 }),
  services: fc.array(
    fc.record({
      id: fc.string({ minLength: 1, maxLength: 64, unit: fc.constantFrom('a', '!', '~', '-') }),
      name: visible({ minLength: 1, maxLength: 63 }),
      type: fc.constantFrom('_http._tcp', '_a._udp', '_ABCdef-12345678._tcp'),
      port: fc.integer({ min: 0, max: 65535 }),
      txt: fc.dictionary(key, visible({ maxLength: 40 }), { maxKeys: 3, noNullPrototype: true }),
      subtypes: fc.array(visible({ minLength: 1, maxLength: 63 }), { maxLength: 2 }),
    }),
    { maxLength: 3 },
  ),
  attributes: fc.dictionary(
    key,
    fc.oneof(
      fc.string({ maxLength: 40, unit: 'binary' }),
      fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => number + 0), // JSON has no -0
      fc.boolean(),
    ),
    { maxKeys: 3, noNullPrototype: true },
  ),
  version: visible({ maxLength: 64 }),
  anchor: fc.record({ sequence: u32, value: written }),
  goodbye: written,
})

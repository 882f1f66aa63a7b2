import { createPrivateKey } from 'node:crypto'
import { encode } from '../../../../src/core/wire/codec.ts'
import { type ChainLink, ChainStep, encodeDigest, follows, HashChain } from '../../../../src/core/wire/hash-chain.ts'
import type { PeerId } from '../../../../src/core/wire/id.ts'
import { readId, writeId } from '../../../../src/core/wire/id-bytes.ts'
import {
  goodbyeCommitment,
  type Identity,
  identityFromPem,
  idOf,
  signedBytes,
  signRecordBytes,
} from '../../../../src/core/wire/identity.ts'
import { KEY_AND_SIGNATURE_BYTES, type Message, PART_BYTES, type Refusal } from '../../../../src/core/wire/messages.ts'
import { type SignedRecord, splitRecord } from '../../../../src/core/wire/record.ts'
import type { PeerRecord } from '../../../../src/core/wire/record-schema.ts'

/** A message with its byte fields in hexadecimal, as the vector files write it. */
export type WrittenMessage = Record<string, string | number | string[]>

const RFC_8032_KEY = '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60'
// The first key pair of RFC 8032, section 7.1, to compare with other implementations of Ed25519. The other keys count up.
export const ALICE = identityFrom(Buffer.from(RFC_8032_KEY, 'hex'))
const BOB = identityFrom(pattern(32, 1))
const INCARNATION = 1_760_000_000
const SEED = pattern(16, 0xa0)
const GOODBYE_SECRET = pattern(16, 0x50)

/** Every vector file by its name. The content is the same each time: nothing in it is random. */
export function makeVectors(): Record<string, unknown> {
  return {
    'ids.json': ids(),
    'chains.json': chains(),
    'goodbyes.json': goodbyes(),
    'messages.json': messages(),
    'records.json': records(),
    'refused-datagrams.json': refusedDatagrams(),
    'refused-records.json': refusedRecords(),
  }
}

export function identityFrom(seed: Uint8Array): Identity {
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed])
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  return identityFromPem(key.export({ type: 'pkcs8', format: 'pem' }).toString())
}

export function writeMessage(message: Message): WrittenMessage {
  const written: WrittenMessage = {}
  for (const [key, value] of Object.entries(message)) {
    written[key] = value instanceof Uint8Array ? hex(value) : (value as string | number | string[])
  }
  return written
}

function pattern(length: number, first: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (first + i) & 0xff)
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

function idBytes(id: PeerId): Uint8Array {
  const bytes = new Uint8Array(16)
  writeId(id, bytes, 0)
  return bytes
}

function ids() {
  const written = [
    ...[new Uint8Array(16), new Uint8Array(16).fill(0xff), pattern(16, 0), new Uint8Array(16).fill(0x80)],
  ].map((bytes) => ({ bytes: hex(bytes), id: readId(bytes) }))
  const keys = [ALICE, BOB].map(({ publicKey, id }) => ({
    publicKey: hex(publicKey),
    bytes: hex(idBytes(id)),
    id,
    short: id.slice(0, 8),
  }))
  return { written, keys }
}

function chainOf(id: PeerId, incarnation: number, base: number, seed: Uint8Array, length: number): ChainLink[] {
  const chain = new HashChain(id, incarnation, base, seed, length)
  const links = [chain.anchor]
  for (let link = chain.next(); link; link = chain.next()) links.push(link)
  return links
}

function at(links: ChainLink[], index: number): ChainLink {
  const link = links[index]
  if (!link) throw new RangeError(`the chain has no value ${index}`)
  return link
}

function writeLink({ sequence, value }: ChainLink) {
  return { sequence, value: hex(value) }
}

function chains() {
  const described = [
    { id: ALICE.id, incarnation: INCARNATION, base: 0, length: 1024, shown: [0, 1, 2, 3, 500, 1023, 1024] },
    { id: ALICE.id, incarnation: INCARNATION, base: 1025, length: 1024, shown: [0, 1, 1024] },
    { id: BOB.id, incarnation: 0xffffffff, base: 0xfffffff0, length: 15, shown: [0, 1, 14, 15] },
    { id: BOB.id, incarnation: 0, base: 7, length: 3, shown: [0, 1, 2, 3] },
  ]
  const made = described.map(({ shown, ...chain }) => {
    const links = chainOf(chain.id, chain.incarnation, chain.base, SEED, chain.length)
    return { ...chain, seed: hex(SEED), values: shown.map((index) => writeLink(at(links, index))) }
  })

  const links = chainOf(ALICE.id, INCARNATION, 0, SEED, 1024)
  const [second, third, ninth] = [at(links, 2), at(links, 3), at(links, 9)]
  const flipped = Uint8Array.from(third.value)
  flipped[15] = (flipped[15] ?? 0) ^ 1
  const alice = { id: ALICE.id, incarnation: INCARNATION }
  const asked: [string, { id: PeerId; incarnation: number }, ChainLink, ChainLink][] = [
    ['the next value', alice, second, third],
    ['seven steps at once', alice, second, ninth],
    ['the very same value', alice, second, second],
    ['an earlier value', alice, third, second],
    ['an earlier position with the known value', alice, third, { sequence: 2, value: third.value }],
    ['one bit wrong', alice, second, { sequence: 3, value: flipped }],
    ['a right value at the wrong position', alice, second, { sequence: 4, value: third.value }],
    ['of another incarnation', { ...alice, incarnation: INCARNATION + 1 }, second, third],
    ['of another peer', { ...alice, id: BOB.id }, second, third],
  ]
  const checks = asked.map(([what, { id, incarnation }, known, next]) => ({
    what,
    id,
    incarnation,
    known: writeLink(known),
    next: writeLink(next),
    follows: follows(new ChainStep(id, incarnation), known, next),
  }))
  return { chains: made, checks }
}

function goodbyes() {
  return [
    { id: ALICE.id, incarnation: INCARNATION, secret: GOODBYE_SECRET },
    { id: ALICE.id, incarnation: INCARNATION + 1, secret: GOODBYE_SECRET },
    { id: BOB.id, incarnation: INCARNATION, secret: GOODBYE_SECRET },
  ].map(({ id, incarnation, secret }) => ({
    id,
    incarnation,
    secret: hex(secret),
    commitment: hex(goodbyeCommitment(id, incarnation, secret)),
    written: encodeDigest(goodbyeCommitment(id, incarnation, secret)),
  }))
}

function someMessages(): [string, Message][] {
  const reveal = at(chainOf(ALICE.id, INCARNATION, 0, SEED, 1024), 42).value
  const header = { id: ALICE.id, incarnation: INCARNATION, sequence: 42 }
  const beat = { recordVersion: 3, echo: 0, number: 40, sent: 123_456, reveal }
  return [
    ['a beat to everyone, by broadcast', { type: 'beat', path: 'broadcast', ...header, ...beat }],
    ['the same beat by IPv4 multicast', { type: 'beat', path: 'multicast4', ...header, ...beat }],
    ['the same beat by IPv6 multicast', { type: 'beat', path: 'multicast6', ...header, ...beat }],
    [
      'a beat that answers a probe',
      { type: 'beat', path: 'unicast', ...header, ...beat, echo: 0xdeadbeef, sent: 0xffffffff },
    ],
    [
      'the smallest record part that can be',
      {
        type: 'record',
        path: 'multicast4',
        ...header,
        part: 0,
        parts: 1,
        recordVersion: 3,
        bytes: Buffer.concat([pattern(KEY_AND_SIGNATURE_BYTES, 0), Buffer.from('{}')]),
      },
    ],
    [
      'a full part, the second of three',
      {
        type: 'record',
        path: 'unicast',
        ...header,
        part: 1,
        parts: 3,
        recordVersion: 4,
        bytes: pattern(PART_BYTES, 7),
      },
    ],
    [
      'a last part of one byte',
      { type: 'record', path: 'unicast', ...header, part: 2, parts: 3, recordVersion: 4, bytes: pattern(1, 9) },
    ],
    ['a query for everyone', { type: 'query', path: 'multicast6', ...header, nonce: 0x01020304, ids: [] }],
    ['a query for two', { type: 'query', path: 'unicast', ...header, nonce: 5, ids: [BOB.id, ALICE.id] }],
    [
      'a query for 64',
      {
        type: 'query',
        path: 'broadcast',
        ...header,
        nonce: 6,
        ids: Array.from({ length: 64 }, (_, i) => readId(pattern(16, i))),
      },
    ],
    ['a goodbye', { type: 'bye', path: 'multicast4', ...header, secret: GOODBYE_SECRET }],
    ['a probe', { type: 'probe', path: 'unicast', ...header, nonce: 0xdeadbeef, target: BOB.id }],
  ]
}

function messages() {
  return someMessages().map(([what, message]) => ({
    what,
    bytes: hex(encode(message)),
    message: writeMessage(message),
  }))
}

function exampleRecord(id: PeerId): PeerRecord {
  return {
    name: 'alice',
    hostname: 'alice.example',
    addresses: ['192.0.2.7', 'fe80::7'],
    interval: 1000,
    services: [
      {
        id: 'web',
        name: 'Alice’s pages',
        type: '_http._tcp',
        port: 8080,
        txt: { path: '/' },
        subtypes: ['_printer'],
      },
    ],
    attributes: { role: 'büro', cores: 8, spare: false },
    version: 'earshot/0.1.0',
    anchor: { sequence: 0, value: encodeDigest(at(chainOf(id, INCARNATION, 0, SEED, 1024), 0).value) },
    goodbye: encodeDigest(goodbyeCommitment(id, INCARNATION, GOODBYE_SECRET)),
  }
}

function signed(identity: Identity, recordVersion: number, bytes: Uint8Array): SignedRecord {
  const signature = signRecordBytes(identity, INCARNATION, recordVersion, bytes)
  const joined = Buffer.concat([identity.publicKey, signature, bytes])
  return { id: identity.id, incarnation: INCARNATION, recordVersion, joined }
}

function datagrams({ joined, ...header }: SignedRecord): string[] {
  const parts = splitRecord(joined)
  return parts.map((bytes, part) =>
    hex(encode({ type: 'record', path: 'multicast4', ...header, sequence: 0, part, parts: parts.length, bytes })),
  )
}

function records() {
  const record = exampleRecord(ALICE.id)
  const long = 'x'.repeat(1000)
  const many = { ...record, attributes: { a: long, b: long, c: long } }
  const spaced = JSON.stringify({ ...record, name: 'with space and \u2028', later: { deeper: [1, null] } }, null, 2)
  const largest = fill(record, 16 * 1024)
  const written: [string, number, string][] = [
    ['one part', 1, JSON.stringify(record)],
    ['three parts', 2, JSON.stringify(many)],
    ['no canonical form: white space, unknown members', 0xffffffff, spaced],
    ['a name outside the Basic Multilingual Plane, by escapes', 3, emoji(record)],
    ['an unknown member nested as deep as may be: 32 with the record itself', 5, nested(record, 31)],
    ['an unknown member with a number beyond a double', 6, withMember(record, '1e999')],
    ['the largest: 16,384 bytes, 15 parts', 4, largest],
  ]
  return written.map(([what, recordVersion, json]) => {
    const bytes = Buffer.from(json)
    const sealed = signed(ALICE, recordVersion, bytes)
    return {
      what,
      privateKey: RFC_8032_KEY,
      publicKey: hex(ALICE.publicKey),
      id: ALICE.id,
      incarnation: INCARNATION,
      recordVersion,
      json,
      signedPrefix: hex(signedBytes(ALICE.id, INCARNATION, recordVersion, new Uint8Array())),
      signature: hex(sealed.joined.subarray(32, KEY_AND_SIGNATURE_BYTES)),
      datagrams: datagrams(sealed),
    }
  })
}

/** A name of 63 code points that are two UTF-16 units each, one of them written as two escapes. */
function emoji(record: PeerRecord): string {
  return JSON.stringify({ ...record, name: '👂'.repeat(63) }).replace('👂', '\\ud83d\\udc42')
}

/** The record with an unknown member of nested arrays, and with brackets in a string, which do not count as nesting. */
function nested(record: PeerRecord, depth: number): string {
  return withMember(record, `${'['.repeat(depth)}"[[[\\"[[["${']'.repeat(depth)}`)
}

/** The record with an unknown member of this JSON text. */
function withMember(record: PeerRecord, text: string): string {
  return JSON.stringify(record).replace('{', `{"later":${text},`)
}

/** The record with an unknown member that makes it as long as requested. */
function fill(record: PeerRecord, length: number): string {
  const empty = JSON.stringify({ ...record, padding: '' })
  return JSON.stringify({ ...record, padding: 'p'.repeat(length - Buffer.byteLength(empty)) })
}

function refusedDatagrams() {
  const real = new Map(someMessages().map(([what, message]) => [what, hex(encode(message))]))
  const beat = Buffer.from(real.get('a beat to everyone, by broadcast') ?? '', 'hex')
  const query = Buffer.from(real.get('a query for 64') ?? '', 'hex')
  const bye = Buffer.from(real.get('a goodbye') ?? '', 'hex')
  const probe = Buffer.from(real.get('a probe') ?? '', 'hex')
  const small = Buffer.from(real.get('the smallest record part that can be') ?? '', 'hex')
  const full = Buffer.from(real.get('a full part, the second of three') ?? '', 'hex')
  const last = Buffer.from(real.get('a last part of one byte') ?? '', 'hex')
  const set = (bytes: Uint8Array, offset: number, value: number) => {
    const changed = Uint8Array.from(bytes)
    changed[offset] = value
    return changed
  }
  const longer = (bytes: Uint8Array, by: number) => Buffer.concat([bytes, new Uint8Array(by)])
  const refused: [string, Uint8Array, Refusal][] = [
    ['nothing', new Uint8Array(), 'too-short'],
    ['one byte less than a header', beat.subarray(0, 31), 'too-short'],
    ['another magic number', set(beat, 1, 0x54), 'not-earshot'],
    ['a sealed datagram', set(beat, 1, 0x58), 'not-earshot'],
    ['1,201 bytes', longer(full, 1), 'too-long'],
    ['version 0', set(beat, 2, 0), 'unknown-version'],
    ['version 2', set(beat, 2, 2), 'unknown-version'],
    ['type 0', set(beat, 3, 0), 'unknown-type'],
    ['type 6', set(beat, 3, 6), 'unknown-type'],
    ['path 4', set(beat, 4, 4), 'unknown-path'],
    ['a beat one byte short', beat.subarray(0, 63), 'too-short'],
    ['a beat one byte long', longer(beat, 1), 'too-long'],
    ['a goodbye one byte short', bye.subarray(0, 47), 'too-short'],
    ['a goodbye one byte long', longer(bye, 1), 'too-long'],
    ['a probe one byte short', probe.subarray(0, 51), 'too-short'],
    ['a probe one byte long', longer(probe, 1), 'too-long'],
    ['a query without a whole nonce', query.subarray(0, 35), 'too-short'],
    ['a query with half an id', query.subarray(0, 44), 'too-short'],
    ['a query for 65', longer(query, 16), 'too-long'],
    ['a record without its prefix', small.subarray(0, 39), 'too-short'],
    ['a part of no bytes', small.subarray(0, 40), 'bad-part'],
    ['a single part without room for {}', small.subarray(0, 40 + 97), 'bad-part'],
    ['part 0 of 0', set(small, 33, 0), 'bad-part'],
    ['part 1 of 1', set(small, 32, 1), 'bad-part'],
    ['part 3 of 3', set(last, 32, 3), 'bad-part'],
    ['one of 16 parts', set(last, 33, 16), 'bad-part'],
    ['a part before the last that is not full', full.subarray(0, full.length - 1), 'bad-part'],
  ]
  return refused.map(([what, bytes, reason]) => ({ what, bytes: hex(bytes), reason }))
}

function refusedRecords() {
  const record = exampleRecord(ALICE.id)
  const service = record.services[0]
  const good = signed(ALICE, 1, Buffer.from(JSON.stringify(record)))
  const flip = (offset: number) => {
    const joined = Uint8Array.from(good.joined)
    joined[offset] = (joined[offset] ?? 0) ^ 1
    return { ...good, joined }
  }
  const json = (text: string) => signed(ALICE, 1, Buffer.from(text))
  const having = (members: Record<string, unknown>) => json(JSON.stringify({ ...record, ...members }))
  const withService = (members: Record<string, unknown>) => having({ services: [{ ...service, ...members }] })
  const { anchor: _, ...noAnchor } = record
  const replaced = (from: string, to: string) => json(JSON.stringify(record).replace(from, to))
  const badUtf8 = Buffer.from(JSON.stringify(record))
  badUtf8[badUtf8.indexOf('alice')] = 0xff

  const refused: [string, SignedRecord, Refusal][] = [
    ["another peer's id", { ...good, id: BOB.id }, 'bad-identity'],
    ['one bit of the key', flip(0), 'bad-identity'],
    ['a key that is no point of the curve', notOnCurve(good), 'bad-signature'],
    ['one bit of the signature', flip(32), 'bad-signature'],
    ['one bit of the record', flip(KEY_AND_SIGNATURE_BYTES + 10), 'bad-signature'],
    ['another version', { ...good, recordVersion: 2 }, 'bad-signature'],
    ['another incarnation', { ...good, incarnation: INCARNATION + 1 }, 'bad-signature'],
    ['one byte too large', json(fill(record, 16 * 1024 + 1)), 'bad-record'],
    ['no JSON', json('{"name":'), 'bad-record'],
    ['no object', json('[1]'), 'bad-record'],
    ['nothing in it', json('{}'), 'bad-record'],
    ['bytes that are not UTF-8', signed(ALICE, 1, badUtf8), 'bad-record'],
    ['a byte order mark', json(`\ufeff${JSON.stringify(record)}`), 'bad-record'],
    ['NaN, which is not JSON', replaced('"cores":8', '"cores":NaN'), 'bad-record'],
    ['a number beyond a double', replaced('"cores":8', '"cores":1e999'), 'bad-record'],
    ['nested 16,000 deep and never closed', json('['.repeat(16_000)), 'bad-record'],
    ['an unknown member nested 33 deep with the record itself', json(nested(record, 32)), 'bad-record'],
    ['an unknown member nested 7,000 deep', json(nested(record, 7000)), 'bad-record'],
    ['half a surrogate pair in the name', replaced('"name":"alice"', '"name":"alice\\ud83d"'), 'bad-record'],
    ['half a surrogate pair in the hostname', replaced('"alice.example"', '"alice\\udc42"'), 'bad-record'],
    ['half a surrogate pair in the version', replaced('"earshot/0.1.0"', '"\\ud83d\\ud83d\\udc42"'), 'bad-record'],
    ['half a surrogate pair in an attribute', replaced('"büro"', '"b\\udc42\\ud83dro"'), 'bad-record'],
    ['half a surrogate pair in a service name', replaced('Alice’s', 'Alice\\ud83d'), 'bad-record'],
    ['half a surrogate pair in a TXT value', replaced('"path":"/"', '"path":"/\\ud83d"'), 'bad-record'],
    ['half a surrogate pair in a subtype', replaced('"_printer"', '"_printer\\ud83d"'), 'bad-record'],
    ['no anchor', json(JSON.stringify(noAnchor)), 'bad-record'],
    ['an empty name', having({ name: '' }), 'bad-record'],
    ['a name of 64 characters', having({ name: 'n'.repeat(64) }), 'bad-record'],
    ['an escape sequence in the name', having({ name: 'a\u001b[2Jb' }), 'bad-record'],
    ['a C1 control character in the hostname', having({ hostname: 'a\u009bb' }), 'bad-record'],
    ['an address with a zone', having({ addresses: ['fe80::1%eth0'] }), 'bad-record'],
    ['33 addresses', having({ addresses: new Array(33).fill('192.0.2.1') }), 'bad-record'],
    ['an interval of 99 ms', having({ interval: 99 }), 'bad-record'],
    ['an interval above an hour', having({ interval: 3_600_001 }), 'bad-record'],
    ['half a millisecond', having({ interval: 1000.5 }), 'bad-record'],
    ['a boolean where a number must be', having({ interval: true }), 'bad-record'],
    ['a nested attribute', having({ attributes: { a: [] } }), 'bad-record'],
    ['a blank in an attribute key', having({ attributes: { 'a b': 1 } }), 'bad-record'],
    ['__proto__ as an attribute', replaced('"role":', '"__proto__":'), 'bad-record'],
    ['__proto__ as a TXT key', replaced('"path":', '"__proto__":'), 'bad-record'],
    ['a service type without a protocol', withService({ type: '_http' }), 'bad-record'],
    ['a service type of 16 letters', withService({ type: '_abcdefghijklmnop._tcp' }), 'bad-record'],
    ['a line feed after a service type', withService({ type: '_http._tcp\n' }), 'bad-record'],
    ['port 65536', withService({ port: 65536 }), 'bad-record'],
    ['a blank in a service id', withService({ id: 'a b' }), 'bad-record'],
    ['17 subtypes', withService({ subtypes: new Array(17).fill('_s') }), 'bad-record'],
    ['an anchor beyond 32 bits', having({ anchor: { ...record.anchor, sequence: 2 ** 32 } }), 'bad-record'],
    ['a padded anchor value', having({ anchor: { sequence: 0, value: `${record.anchor.value}==` } }), 'bad-record'],
    ['a short goodbye', having({ goodbye: record.goodbye.slice(1) }), 'bad-record'],
  ]
  return refused.map(([what, signedRecord, reason]) => ({ what, reason, datagrams: datagrams(signedRecord) }))
}

/** An invalid key: no point on the curve has y = 2. The id belongs to these 32 bytes. */
function notOnCurve(good: SignedRecord): SignedRecord {
  const joined = Uint8Array.from(good.joined)
  joined.fill(0, 0, 32)
  joined[0] = 2
  return { ...good, id: idOf(joined.subarray(0, 32)), joined }
}

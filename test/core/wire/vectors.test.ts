import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { decode, encode } from '../../../src/core/wire/codec.ts'
import { type ChainLink, ChainStep, follows, HashChain } from '../../../src/core/wire/hash-chain.ts'
import { isPeerId, type PeerId } from '../../../src/core/wire/id.ts'
import { readId, writeId } from '../../../src/core/wire/id-bytes.ts'
import { goodbyeCommitment, idOf, signedBytes, signRecordBytes } from '../../../src/core/wire/identity.ts'
import type { Message, RecordPart, Refusal } from '../../../src/core/wire/messages.ts'
import { Reassembly } from '../../../src/core/wire/reassembly.ts'
import { type SignedRecord, verifyRecord } from '../../../src/core/wire/record.ts'
import { identityFrom, makeVectors, type WrittenMessage, writeMessage } from './vectors/make.ts'

// The tests read the files as another implementation would, and do not use the values that make.ts has in memory.
const FOLDER = new URL('./vectors/', import.meta.url)
const made = makeVectors()
const { EARSHOT_WRITE_VECTORS } = process.env
if (EARSHOT_WRITE_VECTORS) {
  mkdirSync(FOLDER, { recursive: true })
  for (const [name, content] of Object.entries(made)) {
    writeFileSync(new URL(name, FOLDER), `${JSON.stringify(content, null, 2)}\n`)
  }
}

function read<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(name, FOLDER), 'utf8')) as T
}

function bytesOf(hex: string): Uint8Array {
  return Buffer.from(hex, 'hex')
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

function decoded(hex: string): Message {
  const message = decode(bytesOf(hex))
  if (typeof message === 'string') throw new Error(`refused: ${message}`)
  return message
}

/** Joins the record in these datagrams, as a receiver does. */
function joinedOf(datagrams: string[]): SignedRecord {
  const reassembly = new Reassembly()
  for (const datagram of datagrams) {
    const message = decoded(datagram)
    if (message.type !== 'record') throw new Error(`a ${message.type}`)
    const whole = reassembly.add(message, '192.0.2.1', 0)
    if (typeof whole === 'string') throw new Error(`refused: ${whole}`)
    if (whole) return whole
  }
  throw new Error('parts are missing')
}

const BYTE_FIELDS = ['reveal', 'bytes', 'secret']

/** The known members of a record. In the vectors, unknown ones are only at the top level. */
function exampleMembers({ later: _, padding: __, ...known }: Record<string, unknown>): unknown {
  return known
}

/** Reads a message from a vector file. */
function readMessage(written: WrittenMessage): Message {
  const fields = Object.entries(written).map(([key, value]) => [
    key,
    BYTE_FIELDS.includes(key) ? bytesOf(String(value)) : value,
  ])
  return Object.fromEntries(fields) as Message
}

it('has files with exactly what the generator writes', () => {
  for (const [name, content] of Object.entries(made)) expect(read(name), name).toEqual(content)
})

describe('ids', () => {
  interface Ids {
    written: { bytes: string; id: PeerId }[]
    keys: { publicKey: string; bytes: string; id: PeerId; short: string }[]
  }
  const ids = read<Ids>('ids.json')

  it.each([...ids.written, ...ids.keys])('$bytes is $id', ({ bytes, id }) => {
    expect(readId(bytesOf(bytes))).toBe(id)
    expect(isPeerId(id)).toBe(true)
    const written = new Uint8Array(16)
    writeId(id, written, 0)
    expect(hexOf(written)).toBe(bytes)
  })

  it.each(ids.keys)('belongs to the key: $short', ({ publicKey, id, short }) => {
    expect(idOf(bytesOf(publicKey))).toBe(id)
    expect(id.slice(0, 8)).toBe(short)
  })
})

describe('chains', () => {
  interface WrittenLink {
    sequence: number
    value: string
  }
  interface Chains {
    chains: { id: PeerId; incarnation: number; base: number; length: number; seed: string; values: WrittenLink[] }[]
    checks: { what: string; id: PeerId; incarnation: number; known: WrittenLink; next: WrittenLink; follows: boolean }[]
  }
  const { chains, checks } = read<Chains>('chains.json')
  const link = ({ sequence, value }: WrittenLink): ChainLink => ({ sequence, value: bytesOf(value) })

  it.each(chains)('$id from $base', ({ id, incarnation, base, length, seed, values }) => {
    const chain = new HashChain(id, incarnation, base, bytesOf(seed), length)
    const shown = new Map([[base, hexOf(chain.anchor.value)]])
    for (let next = chain.next(); next; next = chain.next()) shown.set(next.sequence, hexOf(next.value))
    expect(shown.size).toBe(length + 1)
    for (const { sequence, value } of values) expect(shown.get(sequence)).toBe(value)
  })

  it.each(checks)('$what: $follows', ({ id, incarnation, known, next, follows: expected }) => {
    expect(follows(new ChainStep(id, incarnation), link(known), link(next))).toBe(expected)
  })
})

describe('goodbyes', () => {
  interface Goodbye {
    id: PeerId
    incarnation: number
    secret: string
    commitment: string
    written: string
  }
  it.each(read<Goodbye[]>('goodbyes.json'))('$id $incarnation', ({ id, incarnation, secret, commitment, written }) => {
    expect(hexOf(goodbyeCommitment(id, incarnation, bytesOf(secret)))).toBe(commitment)
    expect(Buffer.from(written, 'base64url').toString('hex')).toBe(commitment)
  })
})

describe('messages', () => {
  interface Vector {
    what: string
    bytes: string
    message: WrittenMessage
  }
  it.each(read<Vector[]>('messages.json'))('$what', ({ bytes, message }) => {
    expect(hexOf(encode(readMessage(message)))).toBe(bytes)
    expect(writeMessage(decoded(bytes))).toEqual(message)
  })
})

describe('records', () => {
  interface Vector {
    what: string
    privateKey: string
    publicKey: string
    id: PeerId
    incarnation: number
    recordVersion: number
    json: string
    signedPrefix: string
    signature: string
    datagrams: string[]
  }
  it.each(read<Vector[]>('records.json'))('$what', (vector) => {
    const { id, incarnation, recordVersion, json, datagrams } = vector
    const identity = identityFrom(bytesOf(vector.privateKey))
    expect(hexOf(identity.publicKey)).toBe(vector.publicKey)
    expect(identity.id).toBe(id)
    const bytes = Buffer.from(json)
    expect(hexOf(signedBytes(id, incarnation, recordVersion, bytes))).toBe(vector.signedPrefix + hexOf(bytes))
    expect(hexOf(signRecordBytes(identity, incarnation, recordVersion, bytes))).toBe(vector.signature)

    const whole = joinedOf(datagrams)
    expect(whole).toMatchObject({ id, incarnation, recordVersion })
    expect(hexOf(whole.joined)).toBe(vector.publicKey + vector.signature + hexOf(bytes))
    expect(verifyRecord(whole)).toEqual(exampleMembers(JSON.parse(json)))
    const first = decoded(datagrams[0] ?? '') as RecordPart
    expect(first.parts).toBe(datagrams.length)
  })

  it.each(read<{ what: string; reason: Refusal; datagrams: string[] }[]>('refused-records.json'))(
    '$what: $reason',
    ({ datagrams, reason }) => {
      expect(verifyRecord(joinedOf(datagrams))).toBe(reason)
    },
  )
})

describe('refused datagrams', () => {
  it.each(read<{ what: string; bytes: string; reason: Refusal }[]>('refused-datagrams.json'))(
    '$what: $reason',
    ({ bytes, reason }) => {
      expect(decode(bytesOf(bytes))).toBe(reason)
    },
  )
})

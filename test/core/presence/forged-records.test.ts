import { describe, expect, it } from 'vitest'
import { decode, encode } from '../../../src/core/wire/codec.ts'
import type { PeerId } from '../../../src/core/wire/id.ts'
import { readId } from '../../../src/core/wire/id-bytes.ts'
import { KEY_AND_SIGNATURE_BYTES, PART_BYTES, type RecordPart } from '../../../src/core/wire/messages.ts'
import { SeededRandom } from '../../acceptance/fuzz-data.ts'
import { type SimHost, SimNetwork } from '../sim/network.ts'

/** The number of forged datagrams per millisecond, and the number of the peer's own datagrams per forged one. */
const PER_MILLISECOND = 8
const OWN_PER_FORGED = 6
const INTERVAL = 500
/** A position shortly before the end of the first hash chain. */
const NEAR_THE_END = 1021

type Forger = (
  about: { id: PeerId; publicKey: Uint8Array; parts: number; version: number },
  random: SeededRandom,
) => RecordPart

/** One part of the next record of another peer, with random bytes. */
function forged(id: PeerId, recordVersion: number, part: number, parts: number, bytes: Uint8Array): RecordPart {
  return { type: 'record', path: 'broadcast', id, incarnation: 1, sequence: 0, part, parts, recordVersion, bytes }
}

/**
 * A watcher receives the datagrams of a peer among a flood of datagrams that an attacker forges from the peer's address. The
 * flood comes when the peer's hash chain ends.
 */
class Scene {
  readonly network = new SimNetwork('forgery')
  readonly watcher: SimHost
  readonly victim: SimHost
  #sequence = 0
  #record: RecordPart | undefined
  #own: { bytes: Uint8Array; path: 'broadcast' | 'multicast4' | 'unicast' }[] = []

  constructor(attributes: Record<string, string>) {
    this.watcher = this.network.host({ name: 'watcher', interval: INTERVAL })
    this.victim = this.network.host({ name: 'victim', interval: INTERVAL, attributes })
    this.network.filter = ({ from, to, bytes, source }) => {
      if (from !== this.victim || to !== this.watcher || source.path === 'multicast6') return true
      this.#own.push({ bytes, path: source.path })
      const message = decode(bytes)
      if (typeof message === 'object') this.#sequence = Math.max(this.#sequence, message.sequence)
      if (typeof message === 'object' && message.type === 'record' && message.part === 0) this.#record = message
      return false
    }
    while (this.#sequence < NEAR_THE_END) this.#pass(100, () => {})
  }

  /** Floods for some ms. Returns the types of the changes reported about the victim meanwhile. */
  flood(milliseconds: number, forge: Forger): string[] {
    const { id, recordVersion } = this.victim.presence.self()
    if (!this.#record) throw new Error('it has sent no record')
    const about = {
      id,
      publicKey: this.#record.bytes.slice(0, 32),
      parts: this.#record.parts,
      version: recordVersion + 1,
    }
    const random = new SeededRandom(1)
    const junk = Array.from({ length: 997 }, () => encode(forge(about, random)))
    let n = 0
    const say = () => this.network.inject(this.watcher, junk[n++ % junk.length] ?? new Uint8Array(), '10.0.0.2')
    const { index } = this.watcher.presence
    for (let at = 0; at < milliseconds; at++) this.#pass(1, say)
    return (this.watcher.presence.changesSince(index) ?? []).map(({ type }) => type)
  }

  #pass(milliseconds: number, say: () => void): void {
    this.network.run(milliseconds)
    for (let i = 0; i < PER_MILLISECOND / 2; i++) say()
    for (const [index, { bytes, path }] of this.#own.splice(0).entries()) {
      if (index % OWN_PER_FORGED === 0) say()
      this.network.inject(this.watcher, bytes, '10.0.0.2', path)
    }
    for (let i = 0; i < PER_MILLISECOND / 2; i++) say()
  }
}

const randomBytes = (random: SeededRandom, length: number) => Uint8Array.from({ length }, () => random.below(256))
const THREE_PARTS = Object.fromEntries(Array.from({ length: 5 }, (_, key) => [`note${key}`, 'x'.repeat(450)]))

describe.each<[string, Record<string, string>, Forger]>([
  [
    'records of invented peers',
    {},
    ({ version }, random) => {
      const bytes = randomBytes(random, KEY_AND_SIGNATURE_BYTES + 2)
      return forged(readId(randomBytes(random, 16)), version, 0, 1, bytes)
    },
  ],
  [
    'records with the key of the peer and a wrong signature',
    {},
    ({ id, publicKey, version }, random) =>
      forged(id, version, 0, 1, Buffer.concat([publicKey, randomBytes(random, 64), Buffer.from('{"name":"x"}')])),
  ],
  [
    'parts of the next record',
    THREE_PARTS,
    ({ id, version, parts }, random) => {
      const part = random.below(parts)
      return forged(id, version, part, parts, randomBytes(random, part === parts - 1 ? 10 : PART_BYTES))
    },
  ],
  [
    'first parts of the next record, with the key of the peer',
    THREE_PARTS,
    ({ id, publicKey, version, parts }, random) =>
      forged(id, version, 0, parts, Buffer.concat([publicKey, randomBytes(random, PART_BYTES - 32)])),
  ],
  [
    'parts with a wrong number of parts',
    THREE_PARTS,
    ({ id, version, parts }, random) => {
      const claimed = random.choose([2, 4, 5, 14, 15].filter((other) => other !== parts))
      return forged(id, version, 0, claimed, randomBytes(random, PART_BYTES))
    },
  ],
  [
    'parts of incomplete records of many peers',
    THREE_PARTS,
    (_, random) => forged(readId(randomBytes(random, 16)), 1, 14, 15, randomBytes(random, 1 + random.below(1000))),
  ],
])('a flood of 8,000 datagrams a second from a peer’s address: %s', (_, attributes, forge) => {
  it('does not prevent the peer’s next hash chain from being accepted', () => {
    const scene = new Scene(attributes)
    expect(scene.flood(5000, forge).filter((type) => type !== 'peer-update')).toEqual([])
    expect(scene.victim.presence.self().recordVersion).toBe(2)
    expect(scene.watcher.presence.peers()).toMatchObject([{ name: 'victim', state: 'alive', recordVersion: 2 }])
  })
})

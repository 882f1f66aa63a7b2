import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CHAIN_LENGTH, type ChainLink, ChainStep, follows, HashChain } from '../../../src/core/wire/hash-chain.ts'
import { peerId } from './arbitrary.ts'

const ID = fc.sample(peerId, { numRuns: 2, seed: 1 })
const [alice, bob] = [ID[0] ?? raise(), ID[1] ?? raise()]

function raise(): never {
  throw new Error('no id')
}

function linksOf(chain: HashChain): ChainLink[] {
  const links = [chain.anchor]
  for (let link = chain.next(); link; link = chain.next()) links.push(link)
  return links
}

describe('the sender', () => {
  it('reveals one value after the other until none is left', () => {
    const chain = new HashChain(alice, 5, 100, new Uint8Array(16), 3)
    expect(chain.anchor.sequence).toBe(100)
    expect(chain.remaining).toBe(3)
    expect([chain.next(), chain.next(), chain.next()].map((link) => link?.sequence)).toEqual([101, 102, 103])
    expect(chain.remaining).toBe(0)
    expect(chain.next()).toBeUndefined()
    expect(chain.anchor.sequence).toBe(103)
  })

  it('publishes the last revealed value as the anchor, so that a record contains no secret', () => {
    const chain = new HashChain(alice, 5, 0, new Uint8Array(16), 10)
    chain.next()
    const second = chain.next()
    expect(chain.anchor).toEqual(second)
  })

  it('has 1,024 values by default', () => {
    const links = linksOf(new HashChain(alice, 5, 0, new Uint8Array(16)))
    expect(links.length).toBe(CHAIN_LENGTH + 1)
    expect(new Set(links.map(({ value }) => Buffer.from(value).toString('hex'))).size).toBe(CHAIN_LENGTH + 1)
  })

  it('returns copies, so that changing one does not change the chain', () => {
    const chain = new HashChain(alice, 5, 0, new Uint8Array(16), 2)
    chain.anchor.value.fill(0)
    expect(chain.anchor.value).not.toEqual(new Uint8Array(16))
  })
})

describe('the receiver', () => {
  const links = linksOf(new HashChain(alice, 5, 40, new Uint8Array(16).fill(9), 60))
  const step = new ChainStep(alice, 5)
  const link = fc.constantFrom(...links)

  it('follows forward over any number of lost beats, but never back', () => {
    fc.assert(
      fc.property(link, link, (known, next) => {
        expect(follows(step, known, next)).toBe(next.sequence >= known.sequence)
      }),
    )
  })

  it('accepts no value but the right one', () => {
    fc.assert(
      fc.property(link, link, fc.nat({ max: 15 }), fc.integer({ min: 1, max: 255 }), (known, next, at, flip) => {
        const value = Uint8Array.from(next.value)
        value[at] = (value[at] ?? 0) ^ flip
        expect(follows(step, known, { ...next, value })).toBe(false)
      }),
    )
  })

  it('accepts no right value at another position', () => {
    fc.assert(
      fc.property(link, link, fc.integer({ min: 1, max: 20 }), (known, next, shift) => {
        expect(follows(step, known, { sequence: next.sequence + shift, value: next.value })).toBe(false)
        expect(follows(step, known, { sequence: next.sequence - shift, value: next.value })).toBe(false)
      }),
    )
  })

  it('accepts no value of another incarnation, peer or chain', () => {
    const [known, next] = [links[3] ?? raise(), links[5] ?? raise()]
    expect(follows(step, known, next)).toBe(true)
    expect(follows(new ChainStep(alice, 6), known, next)).toBe(false)
    expect(follows(new ChainStep(bob, 5), known, next)).toBe(false)
    for (const other of [
      new HashChain(alice, 6, 40, new Uint8Array(16).fill(9), 60),
      new HashChain(bob, 5, 40, new Uint8Array(16).fill(9), 60),
      new HashChain(alice, 5, 40, new Uint8Array(16).fill(8), 60),
      new HashChain(alice, 5, 41, new Uint8Array(16).fill(9), 60),
    ]) {
      // The last value is the seed. Only this test uses it twice.
      for (const link of linksOf(other).slice(0, -1)) expect(follows(step, known, link)).toBe(false)
    }
  })

  it('computes one hash for each position', () => {
    let hashes = 0
    class Counting extends ChainStep {
      override stepBack(position: number): void {
        hashes++
        super.stepBack(position)
      }
    }
    follows(new Counting(alice, 5), links[1] ?? raise(), links[8] ?? raise())
    expect(hashes).toBe(7)
    follows(new Counting(alice, 5), links[8] ?? raise(), links[1] ?? raise())
    expect(hashes).toBe(7)
  })

  it('follows up to the last position that 32 bits can represent', () => {
    const last = linksOf(new HashChain(alice, 0xffffffff, 0xffffffff - 4, new Uint8Array(16), 4))
    expect(follows(new ChainStep(alice, 0xffffffff), last[0] ?? raise(), last[4] ?? raise())).toBe(true)
  })
})

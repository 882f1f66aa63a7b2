import fc from 'fast-check'
import { expect, it } from 'vitest'
import { ID_BYTES, isPeerId } from '../../../src/core/wire/id.ts'
import { readId, writeId } from '../../../src/core/wire/id-bytes.ts'

it('writes 16 bytes in 26 characters and back, at any offset', () => {
  const sixteen = fc.uint8Array({ minLength: ID_BYTES, maxLength: ID_BYTES })
  fc.assert(
    fc.property(sixteen, fc.nat({ max: 9 }), (bytes, offset) => {
      const around = new Uint8Array(ID_BYTES + 10).fill(0xee)
      around.set(bytes, offset)
      const id = readId(around, offset)
      expect(isPeerId(id)).toBe(true)
      const written = new Uint8Array(ID_BYTES + 10).fill(0xee)
      writeId(id, written, offset)
      expect(written).toEqual(around)
    }),
  )
})

it.each([
  ['', 'nothing'],
  ['a'.repeat(25), 'one too few'],
  ['a'.repeat(27), 'one too many'],
  ['A'.repeat(26), 'capitals'],
  [`${'a'.repeat(25)}1`, 'a digit that base32 has not'],
  [`${'a'.repeat(26)}\n`, 'a line feed'],
])('takes %j for no id: %s', (text) => {
  expect(isPeerId(text)).toBe(false)
})

import fc from 'fast-check'
import stringWidth from 'string-width'
import { expect, test } from 'vitest'
import { printable, styleFor } from '../../src/cli/terminal.ts'
import { cut, loadWidths, widthOf } from '../../src/cli/text-width.ts'
import { anyText } from './any-text.ts'

// These tests run in their order: the last one loads the tables.

const style = styleFor(true, {})
const shown = fc.oneof(
  anyText.map(printable),
  fc.string({ unit: fc.integer({ min: 0xa1, max: 0x2ff }).map((code) => String.fromCodePoint(code)) }),
)

test('without tables, text is never wider than it counts as, with and without colours', () => {
  fc.assert(
    fc.property(shown, (text) => {
      expect(widthOf(text)).toBeGreaterThanOrEqual(stringWidth(text))
      expect(widthOf(style('bold', text))).toBe(widthOf(text))
    }),
  )
})

test('without tables, ASCII and Latin letters count as what they are', () => {
  const latin = fc.string({ unit: fc.constantFrom(...'az AZ09-._~éüßøñ…—“”') })
  fc.assert(
    fc.property(latin, (text) => {
      expect(widthOf(text)).toBe(stringWidth(text))
    }),
  )
})

test('without tables, cut never exceeds the width, and ends all colours', () => {
  fc.assert(
    fc.property(shown, fc.integer({ min: 0, max: 20 }), (text, width) => {
      const short = cut(`${style('red', text)} ${style('bold', text)}`, width)
      expect(stringWidth(short)).toBeLessThanOrEqual(width)
      if (width > 0) expect(short.split('\u001b').length % 2).toBe(1)
    }),
  )
  expect(cut('kitchen', 5)).toBe('kitc…')
  expect(cut(style('bold', 'kitchen'), 5)).toBe(style('bold', 'kitc…'))
})

test('the tables are loaded for text that needs them only', async () => {
  await loadWidths({ name: 'Küche — “1”' }, ['plain'])
  expect(widthOf('キ1')).toBe(4)
  await loadWidths({ name: ['台所'] })
  expect(widthOf('キ1')).toBe(3)
})

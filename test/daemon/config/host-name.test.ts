import { expect, it } from 'vitest'
import { printableHostName } from '../../../src/daemon/config/defaults.ts'

it('a printable host name has no control characters, and fits into a record', () => {
  expect(printableHostName('kitchen.lan')).toBe('kitchen.lan')
  expect(printableHostName('kitchen\n')).toBe('kitchen')
  expect(printableHostName('\u001b[31mk\u009fitchen\ud83d')).toBe('[31mkitchen')
  expect(printableHostName('\n')).toBe('')
  expect([...printableHostName('🦉'.repeat(300))]).toHaveLength(255)
})

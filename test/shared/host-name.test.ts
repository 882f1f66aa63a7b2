import { expect, it } from 'vitest'
import { shownHostName } from '../../src/shared/host-name.ts'

it('a host name is told without control characters, and cut to what a record can hold', () => {
  expect(shownHostName('kitchen.lan')).toBe('kitchen.lan')
  expect(shownHostName('kitchen\n')).toBe('kitchen')
  expect(shownHostName('\u001b[31mk\u009fitchen\ud83d')).toBe('[31mkitchen')
  expect(shownHostName('\n')).toBe('')
  expect([...shownHostName('🦉'.repeat(300))]).toHaveLength(255)
})

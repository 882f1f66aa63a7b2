import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readTxt } from '../../../../src/core/mdns/finder/discovered-host.ts'

function read(...strings: string[]): Record<string, string> {
  return readTxt(strings.map((string) => Buffer.from(string)))
}

describe('TXT strings', () => {
  it('are pairs, the first equals sign between them', () => {
    expect(read('path=/a=b', 'empty=', 'flag', 'ü=no', 'txtvers=1')).toEqual({
      path: '/a=b',
      empty: '',
      flag: '',
      txtvers: '1',
    })
  })

  it('count by the first of two keys that differ in case only', () => {
    expect(read('Path=1', 'path=2', 'PATH')).toEqual({ Path: '1' })
  })

  it('leave out what ours may not hold', () => {
    expect(read('', '=value', '__proto__=x', 'with space=x', 'bell\u0007=x', `${'k'.repeat(65)}=x`)).toEqual({})
    expect(Object.getPrototypeOf(read('__proto__=x'))).toBe(Object.prototype)
  })

  it('have what is not UTF-8 replaced', () => {
    expect(readTxt([Buffer.from([0x61, 0x3d, 0xff, 0x62])])).toEqual({ a: '\ufffdb' })
  })

  it('never throw, and give printable keys only', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 255 }), { maxLength: 20 }), (strings) => {
        for (const key of Object.keys(readTxt(strings))) expect(key).toMatch(/^[!-~]{1,64}$/)
      }),
    )
  })
})

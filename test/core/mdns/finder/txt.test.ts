import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readTxt } from '../../../../src/core/mdns/finder/discovered-host.ts'

function read(...strings: string[]): Record<string, string> {
  return readTxt(strings.map((string) => Buffer.from(string)))
}

describe('TXT strings', () => {
  it('are split into pairs at the first equals sign', () => {
    expect(read('path=/a=b', 'empty=', 'flag', 'ü=no', 'txtvers=1')).toEqual({
      path: '/a=b',
      empty: '',
      flag: '',
      txtvers: '1',
    })
  })

  it('count only once per key, ignoring case: the first one', () => {
    expect(read('Path=1', 'path=2', 'PATH')).toEqual({ Path: '1' })
  })

  it('with keys that records may not hold are left out', () => {
    expect(read('', '=value', '__proto__=x', 'with space=x', 'bell\u0007=x', `${'k'.repeat(65)}=x`)).toEqual({})
    expect(Object.getPrototypeOf(read('__proto__=x'))).toBe(Object.prototype)
  })

  it('that are not UTF-8 have the invalid bytes replaced', () => {
    expect(readTxt([Buffer.from([0x61, 0x3d, 0xff, 0x62])])).toEqual({ a: '\ufffdb' })
  })

  it('never cause an exception, and result in printable keys only', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 255 }), { maxLength: 20 }), (strings) => {
        for (const key of Object.keys(readTxt(strings))) expect(key).toMatch(/^[!-~]{1,64}$/)
      }),
    )
  })
})

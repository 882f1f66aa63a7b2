import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { instanceName, nameKey, SERVICE_TYPES, sameName, splitInstance } from '../../../src/core/mdns/dns/records.ts'
import { numberedLabel, truncateLabel } from '../../../src/core/mdns/publisher/claim.ts'

describe('names', () => {
  test('are compared without ASCII case', () => {
    expect(sameName('Office._IPP._tcp.local', 'office._ipp._tcp.LOCAL')).toBe(true)
    expect(sameName('Käse.local', 'KÄSE.local')).toBe(false)
    expect(nameKey('KÄSE.Local')).toBe('kÄse.local')
  })
})

describe('an instance name', () => {
  test('is joined from instance and type, and split from the right', () => {
    expect(instanceName('Office', '_ipp._tcp')).toBe('Office._ipp._tcp.local')
    expect(splitInstance('Office 2.0 (a.b)._IPP._tcp.Local')).toEqual({
      instance: 'Office 2.0 (a.b)',
      type: '_ipp._tcp',
    })
    expect(splitInstance('a._http._tcp._ipp._tcp.local')).toEqual({ instance: 'a._http._tcp', type: '_ipp._tcp' })
  })

  test('is told apart from other names', () => {
    const others = [
      '_ipp._tcp.local',
      'printer.local',
      '_color._sub._ipp._tcp.local',
      SERVICE_TYPES,
      '',
      'a._ipp._tcp.example',
    ]
    expect(others.map(splitInstance)).toEqual(others.map(() => undefined))
  })

  test('is split into the parts that it was joined from', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), (instance) => {
        fc.pre(!/^_[^.]+\._sub/i.test(instance))
        expect(splitInstance(instanceName(instance, '_http._tcp'))).toEqual({ instance, type: '_http._tcp' })
      }),
    )
  })
})

describe('a label', () => {
  test('is cut to 63 bytes between characters', () => {
    expect(truncateLabel('Office')).toBe('Office')
    expect(truncateLabel('x'.repeat(64))).toBe('x'.repeat(63))
    expect(truncateLabel(`${'x'.repeat(62)}ä`)).toBe('x'.repeat(62))
    expect(truncateLabel('🖨'.repeat(20))).toBe('🖨'.repeat(15))
  })

  test('with a number still fits', () => {
    expect(numberedLabel('Office', 2)).toBe('Office (2)')
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 200 }), fc.integer({ min: 2, max: 1e6 }), (name, n) => {
        const made = numberedLabel(name, n)
        expect(Buffer.byteLength(made)).toBeLessThanOrEqual(63)
        expect(made.endsWith(` (${n})`)).toBe(true)
        expect(name.startsWith(made.slice(0, -` (${n})`.length))).toBe(true)
      }),
    )
  })
})

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checkEntry, serviceOf } from '../../../src/daemon/services/service-entry.ts'
import type { ServiceEntry } from '../../../src/daemon/services/service-schema.ts'
import { BadService } from '../../../src/shared/errors.ts'

const peer = { name: 'kitchen' }

test('an entry gets its full type and an id', () => {
  expect(serviceOf({ name: 'Mein Café  ☕', type: 'http', port: 80, txt: { v: 1, tls: false } }, peer)).toEqual({
    id: 'mein-cafe',
    name: 'Mein Café  ☕',
    type: '_http._tcp',
    port: 80,
    txt: { v: '1', tls: 'false' },
    subtypes: [],
  })
  expect(serviceOf({ name: '台所', type: 'osc', protocol: 'udp', port: 9 }, peer)).toMatchObject({
    id: 'osc-udp',
    type: '_osc._udp',
  })
})

test("an entry without a name gets the peer's name, and the given id or one made of its type", () => {
  expect(serviceOf({ type: 'http', port: 80 }, peer)).toMatchObject({ id: 'http-tcp', name: 'kitchen' })
  expect(serviceOf({ type: 'http', port: 80 }, { ...peer, id: 'shop' })).toMatchObject({ id: 'shop', name: 'kitchen' })
  expect(serviceOf({ type: 'http', port: 80, id: 'own' }, { ...peer, id: 'shop' })).toMatchObject({ id: 'own' })
})

test('any name gives an id that a record allows', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (name) => {
      expect(serviceOf({ name, type: 'http', port: 1 }, peer).id).toMatch(/^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$/)
    }),
  )
})

describe('a TXT string', () => {
  const withTxt = (key: string, value: string) => serviceOf({ type: 'http', port: 1, txt: { [key]: value } }, peer)

  test('has at most 255 bytes, not characters', () => {
    expect(withTxt('path', 'x'.repeat(250)).txt['path']).toHaveLength(250)
    expect(() => withTxt('path', 'x'.repeat(251))).toThrow(
      'txt.path: key, = and value together have 256 bytes, and the limit is 255 (RFC 6763, section 6.1)',
    )
    expect(() => withTxt('path', 'é'.repeat(126))).toThrow('have 257 bytes')
  })

  test('is refused exactly when it is longer', () => {
    fc.assert(
      fc.property(
        fc.stringMatching(/^[!-<>-~]{1,64}$/),
        fc.string({ unit: 'binary', maxLength: 260 }),
        (key, value) => {
          const bytes = Buffer.byteLength(key) + 1 + Buffer.byteLength(value)
          if (bytes > 255) expect(() => withTxt(key, value)).toThrow(BadService)
          else expect(withTxt(key, value).txt).toEqual({ [key]: value })
        },
      ),
    )
  })
})

test.each<[unknown, string]>([
  [{ type: 'http' }, "'port' is missing"],
  [{ type: 'http', port: 70_000 }, 'port: expected a port from 0 to 65535, found 70000'],
  [{ type: 'http', port: 1, prot: 'udp' }, "unknown key 'prot' (did you mean 'port'?)"],
  [
    { type: 'http', port: 1, txt: { 'a=b': '' } },
    'txt: expected keys of 1 to 64 printable ASCII characters, no spaces and no =, found "a=b"',
  ],
  [
    { type: 'http', port: 1, txt: { 'x/1': Number.NaN } },
    'txt.x/1: expected a text of at most 1024 characters (no unpaired surrogates), a number or a boolean, found null',
  ],
  [
    { type: 'http', port: 1, txt: JSON.parse('{"__proto__": "x"}') },
    'txt: expected keys of 1 to 64 printable ASCII characters, no spaces and no =, found "__proto__"',
  ],
  [
    { type: 'http', port: 1, name: '\u001b[31m' },
    'name: expected a name of 1 to 63 characters without control characters',
  ],
  [[], 'expected a table with type and port, found []'],
])('%j is refused with the reason', (entry, reason) => {
  expect(() => checkEntry(entry)).toThrow(reason)
})

test('a protocol that contradicts the type is refused', () => {
  const entry: ServiceEntry = { type: '_osc._udp', protocol: 'tcp', port: 9 }
  expect(() => serviceOf(entry, peer)).toThrow(`protocol: expected the protocol of type '_osc._udp', found "tcp"`)
})

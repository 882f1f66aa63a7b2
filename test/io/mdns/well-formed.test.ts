import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FROM, Stage } from '../../core/mdns/finder/stage.ts'
import { TransportHarness } from '../../core/mdns/tools/transport-harness.ts'

/** A response about one service that contains these bytes as texts. */
function response(instance: Uint8Array, host: Uint8Array, text: Uint8Array): Buffer {
  const label = (bytes: Uint8Array) => Buffer.concat([Buffer.of(bytes.length), bytes])
  const local = label(Buffer.from('local'))
  const type = Buffer.concat([label(Buffer.from('_ipp')), label(Buffer.from('_tcp')), local, Buffer.of(0)])
  const name = Buffer.concat([label(instance), type])
  const target = Buffer.concat([label(host), local, Buffer.of(0)])
  const record = (owner: Buffer, kind: number, data: Buffer) =>
    Buffer.concat([owner, Buffer.of(0, kind, 0, 1, 0, 0, 0, 120, data.length >> 8, data.length & 255), data])
  const records = [
    record(type, 12, name),
    record(name, 33, Buffer.concat([Buffer.of(0, 0, 0, 0, 2, 119), target])),
    record(name, 16, label(Buffer.concat([Buffer.from('k='), text]))),
    record(target, 1, Buffer.of(10, 0, 0, 9)),
  ]
  return Buffer.concat([Buffer.of(0, 0, 0x84, 0, 0, 0, 0, records.length, 0, 0, 0, 0), ...records])
}

/** All reported texts for these bytes. */
function told(instance: Uint8Array, host: Uint8Array, text: Uint8Array): string[] {
  const stage = new Stage()
  const message = new TransportHarness().receive(response(instance, host, text))
  if (message) stage.finder.receive(message, FROM, stage.now)
  return stage.reports.flatMap(({ sighting: { id, hostname, name, services } }) => [
    ...[id, hostname, name],
    ...services.flatMap((service) => [service.id, service.name, ...Object.entries(service.txt).flat()]),
  ])
}

describe('texts reported about other hosts are valid UTF-8', () => {
  it.each([
    ['a character that is cut off', Buffer.from('Büro 📠').subarray(0, -1), 'Büro \ufffd'],
    ['Latin-1', Buffer.from('Büro', 'latin1'), 'B\ufffdro'],
    ['a surrogate', Buffer.from([0x61, 0xed, 0xa0, 0x80]), 'a\ufffd\ufffd\ufffd'],
    ['an overlong slash', Buffer.from([0x61, 0xc0, 0xaf]), 'a\ufffd\ufffd'],
  ])('with %s', (_, bytes, expected) => {
    const texts = told(bytes, Buffer.from('printer'), bytes)
    expect(texts).toEqual([
      'printer.local',
      'printer.local',
      'printer',
      `${expected}._ipp._tcp`,
      expected,
      'k',
      expected,
    ])
    expect(told(Buffer.from('Office'), bytes, Buffer.of())[2]).toBe(expected)
  })

  it('for any bytes', () => {
    const bytes = fc.uint8Array({ minLength: 1, maxLength: 63 })
    fc.assert(
      fc.property(bytes, bytes, bytes, (instance, host, text) => {
        for (const each of told(instance, host, text)) expect(each).not.toMatch(/\p{Cs}/u)
      }),
      { numRuns: 500 },
    )
  })
})

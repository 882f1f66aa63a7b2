import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { EventStreamParser, type StreamEvent } from '../../src/client/event-stream.ts'

function read(...chunks: (string | Uint8Array)[]): StreamEvent[] {
  const parser = new EventStreamParser()
  return chunks.flatMap((chunk) => parser.read(typeof chunk === 'string' ? Buffer.from(chunk) : chunk))
}

describe('EventStreamParser', () => {
  test.each<[string, [string, string, string][]]>([
    ['data: a\n\n', [['message', 'a', '']]],
    ['event: x\nid: 7\ndata: a\ndata: b\n\n', [['x', 'a\nb', '7']]],
    [
      'id: 7\ndata: a\n\ndata: b\n\n',
      [
        ['message', 'a', '7'],
        ['message', 'b', '7'],
      ],
    ],
    ['id: 7\n\nid\ndata: b\n\n', [['message', 'b', '']]],
    ['id: a\0b\ndata: x\n\n', [['message', 'x', '']]],
    ['data:a\n\n', [['message', 'a', '']]],
    ['data:  a\n\n', [['message', ' a', '']]],
    ['data\n\n', [['message', '', '']]],
    ['data\ndata\n\n', [['message', '\n', '']]],
    ['event: x\n\ndata: a\n\n', [['message', 'a', '']]],
    [': comment\nretry: 10\nother: x\ndata: a\n\n', [['message', 'a', '']]],
    [
      'data: a\r\n\r\ndata: b\r\rdata: c\n\n',
      [
        ['message', 'a', ''],
        ['message', 'b', ''],
        ['message', 'c', ''],
      ],
    ],
    ['\ufeffdata: a\n\n', [['message', 'a', '']]],
    ['data: unfinished\n', []],
    ['\n\n\n', []],
  ])('%j', (text, expected) => {
    expect(read(text).map(({ type, data, lastEventId }) => [type, data, lastEventId])).toEqual(expected)
  })

  test('accepts chunks that end anywhere', () => {
    const line = fc.oneof(
      fc.constantFrom('', 'data: ü🦊', 'data', 'event: e', 'id: 1', ': c', 'data: {"a":1}', 'nonsense'),
      fc.string({ unit: 'grapheme' }),
    )
    const ending = fc.constantFrom('\n', '\r\n', '\r')
    const text = fc.array(fc.tuple(line, ending), { maxLength: 30 }).map((lines) => lines.flat().join(''))
    fc.assert(
      fc.property(text, fc.array(fc.nat({ max: 200 }), { maxLength: 10 }), (whole, cuts) => {
        const bytes = Buffer.from(whole)
        const edges = [0, ...cuts.map((cut) => Math.min(cut, bytes.length)).sort((a, b) => a - b), bytes.length]
        const chunks = edges.slice(1).map((edge, at) => bytes.subarray(edges[at], edge))
        expect(read(...chunks)).toEqual(read(bytes))
      }),
      { numRuns: 1000 },
    )
  })

  test('accepts any bytes', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 64 })), (chunks) => {
        for (const event of read(...chunks)) expect(event.data).toBeTypeOf('string')
      }),
    )
  })

  test.each([
    ['a line', 'x'.repeat(60)],
    ['an event', 'data: xxxxxxxx\n'.repeat(8)],
  ])('limits the size of %s', (_name, text) => {
    const parser = new EventStreamParser(50)
    expect(() => {
      for (const character of text) parser.read(Buffer.from(character))
    }).toThrow(RangeError)
  })
})

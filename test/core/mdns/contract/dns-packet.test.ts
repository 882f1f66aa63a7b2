import dnsPacket, { type Answer } from 'dns-packet'
import { expect, vi } from 'vitest'
import { emptyPromise, pointerChain } from '../tools/hostile.ts'
import { weakness } from './weakness.ts'

const LIBRARY = 'dns-packet'

weakness(LIBRARY, 'splits a label at a dot inside it', 'name-encoding.ts', () => {
  const bytes = dnsPacket.encode({ questions: [{ name: 'v1.5._http._tcp.local', type: 'SRV' }] })
  expect(bytes.subarray(12, 17).toString('latin1')).toBe('\u0002v1\u00015')
  // After decoding, the two are indistinguishable.
  const whole = Buffer.concat([bytes.subarray(0, 12), Buffer.from('\u0004v1.5'), bytes.subarray(17)])
  expect(dnsPacket.decode(whole).questions).toEqual(dnsPacket.decode(bytes).questions)
})

weakness(LIBRARY, 'changes a label that is too long', 'isSendable() of name-encoding.ts', () => {
  const bytes = dnsPacket.encode({ questions: [{ name: `${'x'.repeat(200)}.local`, type: 'A' }] })
  expect(bytes[12]).toBe(200)
  expect(() => dnsPacket.decode(bytes)).toThrow()
})

weakness(LIBRARY, 'follows any number of pointers for each name', 'packet-layout.ts', () => {
  const pointers = 2200
  const bytes = pointerChain(9000, pointers)
  const read = Buffer.prototype.readUInt16BE
  let steps = 0
  Buffer.prototype.readUInt16BE = function (at?: number) {
    steps++
    return read.call(this, at)
  }
  const { answers = [] } = dnsPacket.decode(bytes)
  Buffer.prototype.readUInt16BE = read
  expect(answers.length).toBeGreaterThan(300)
  // Two names in every record but the first, and each follows the whole chain: about 1.4 million steps in 9,000 bytes.
  expect(steps).toBeGreaterThan((answers.length - 1) * 2 * pointers)
})

weakness(LIBRARY, 'allocates as many entries as a header declares', 'packet-layout.ts', () => {
  const made: number[] = []
  const real = globalThis.Array
  const counting = new Proxy(real, {
    construct: (target, [length]) => {
      made.push(length)
      return new target(length)
    },
  })
  vi.stubGlobal('Array', counting)
  try {
    expect(() => dnsPacket.decode(emptyPromise())).toThrow()
  } finally {
    vi.unstubAllGlobals()
  }
  expect(made).toEqual([65_535, 65_535, 0, 0])
})

weakness(LIBRARY, 'rejects a whole message because of one record', 'maskForeignRecords() of packet-layout.ts', () => {
  const good: Answer = { name: 'a.local', type: 'A', ttl: 120, data: '192.0.2.1' }
  const bytes = dnsPacket.encode({ type: 'response', answers: [good, { name: 'a.local', type: 'TXT', data: ['x'] }] })
  bytes[bytes.length - 2] = 9
  expect(() => dnsPacket.decode(bytes)).toThrow()
})

weakness(LIBRARY, 'reads the unicast-response bit as part of the class', 'questionOf() of packet-conversion.ts', () => {
  const bytes = dnsPacket.encode({ questions: [{ name: 'a.local', type: 'A' }] })
  bytes.writeUInt16BE(0x8001, bytes.length - 2)
  expect(dnsPacket.decode(bytes).questions?.[0]?.class).toBe('UNKNOWN_32769')
})

weakness(
  LIBRARY,
  'formats an IPv6 address differently than operating systems',
  'canonicalIpv6() of packet-conversion.ts',
  () => {
    const data = '2001:0:0:1::e'
    const bytes = dnsPacket.encode({ type: 'response', answers: [{ name: 'a.local', type: 'AAAA', data }] })
    expect(dnsPacket.decode(bytes).answers?.[0]).toMatchObject({ data: '2001::1:0:0:0:e' })
  },
)

weakness(LIBRARY, 'returns views of the datagram as TXT strings', 'copyStrings() of packet-conversion.ts', () => {
  const bytes = dnsPacket.encode({ type: 'response', answers: [{ name: 'a.local', type: 'TXT', data: ['x=1'] }] })
  const [answer] = dnsPacket.decode(bytes).answers ?? []
  const [string] = answer?.type === 'TXT' && Array.isArray(answer.data) ? answer.data : []
  expect(Buffer.isBuffer(string) && string.buffer === bytes.buffer).toBe(true)
})

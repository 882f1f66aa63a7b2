import { describe, expect, test } from 'vitest'
import { hostRecords, serviceRecords } from '../../../../src/core/mdns/publisher/claim.ts'
import { lines, service } from './simulation.ts'

describe("a service's records", () => {
  test('are the five of DNS-SD, without addresses', () => {
    const printer = service('Office', {
      type: '_ipp._tcp',
      port: 631,
      txt: { rp: 'queue', note: 'a=b' },
      subtypes: ['_universal', 'print'],
    })
    expect(lines(serviceRecords(printer, 'Office 2.0', 'h.local'))).toEqual([
      'PTR _ipp._tcp.local 4500 Office 2.0._ipp._tcp.local',
      'SRV Office 2.0._ipp._tcp.local 120 flush 631 h.local',
      'TXT Office 2.0._ipp._tcp.local 4500 flush "rp=queue" "note=a=b"',
      'PTR _services._dns-sd._udp.local 4500 _ipp._tcp.local',
      'PTR _universal._sub._ipp._tcp.local 4500 Office 2.0._ipp._tcp.local',
      'PTR _print._sub._ipp._tcp.local 4500 Office 2.0._ipp._tcp.local',
    ])
  })

  test('may have port 0, UDP and an empty TXT record', () => {
    const records = serviceRecords(service('x', { type: '_osc._udp', port: 0 }), 'x', 'h.local')
    expect(records.find(({ type }) => type === 'SRV')?.data).toEqual({
      priority: 0,
      weight: 0,
      port: 0,
      target: 'h.local',
    })
    expect(records.find(({ type }) => type === 'TXT')?.data).toEqual([new Uint8Array(0)])
  })

  test('leave out TXT entries that do not fit DNS', () => {
    const txt = {
      long: 'x'.repeat(251),
      fits: 'x'.repeat(250),
      ...Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`k${i}`, 'y'.repeat(200)])),
    }
    const record = serviceRecords(service('x', { txt }), 'x', 'h.local').find(({ type }) => type === 'TXT')
    const entries = record?.type === 'TXT' ? record.data.map((each) => Buffer.from(each).toString()) : []
    expect(entries.some((entry) => entry.startsWith('long='))).toBe(false)
    expect(entries.some((entry) => entry.startsWith('fits='))).toBe(true)
    expect(entries.reduce((sum, { length }) => sum + 1 + length, 0)).toBeLessThanOrEqual(8000)
    expect(entries.length).toBeGreaterThan(35)
  })
})

test('the records of a host are its addresses, with link-local ones only if there are no others', () => {
  const ipv4 = { address: '10.0.0.1', family: 'ipv4' as const }
  const ipv6 = { address: 'fd00::1', family: 'ipv6' as const }
  const linkLocal = [
    { address: '169.254.7.7', family: 'ipv4' as const },
    { address: 'fe80::1', family: 'ipv6' as const },
  ]
  expect(lines(hostRecords('h.local', [ipv4, ...linkLocal, ipv6]))).toEqual([
    'A h.local 120 flush 10.0.0.1',
    'AAAA h.local 120 flush fd00::1',
  ])
  expect(lines(hostRecords('h.local', [...linkLocal, ipv4]))).toEqual(['A h.local 120 flush 10.0.0.1'])
  expect(lines(hostRecords('h.local', linkLocal))).toEqual([
    'A h.local 120 flush 169.254.7.7',
    'AAAA h.local 120 flush fe80::1',
  ])
})

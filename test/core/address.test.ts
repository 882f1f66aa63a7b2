import { BlockList, isIPv4, isIPv6 } from 'node:net'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { canonicalAddress, isHostAddress, isIpAddress } from '../../src/core/address.ts'

/** Addresses, and texts that resemble addresses. */
const groups = fc.array(fc.constantFrom('0', '1', 'ab', '00ab', 'ffff', 'FE80', '', '12345', 'g', '1.2.3.4'), {
  maxLength: 10,
})
const octets = fc.array(
  fc.constantFrom('0', '1', '9', '00', '01', '010', '127', '224', '255', '256', '0x7f', '', '-1', '1e1', ' 1'),
  {
    minLength: 3,
    maxLength: 5,
  },
)
const nearlyAddress = fc.oneof(
  fc.string(),
  fc.ipV4(),
  fc.ipV6(),
  octets.map((parts) => parts.join('.')),
  groups.map((parts) => parts.join(':')),
  fc.tuple(groups, groups).map(([head, tail]) => `${head.join(':')}::${tail.join(':')}`),
  fc.ipV6().map((text) => `${text}%eth0`),
)

const nonHostIpv6 = new BlockList()
nonHostIpv6.addAddress('::', 'ipv6')
nonHostIpv6.addAddress('::1', 'ipv6')
nonHostIpv6.addSubnet('::ffff:0:0', 96, 'ipv6')
nonHostIpv6.addSubnet('ff00::', 8, 'ipv6')

test('recognizes the same addresses as node:net, except those with a zone', () => {
  fc.assert(
    fc.property(nearlyAddress, (text) => isIpAddress(text) === (isIPv4(text) || (isIPv6(text) && !text.includes('%')))),
    { numRuns: 20_000 },
  )
})

test('accepts as host addresses those that node:net finds in no excluded range', () => {
  const edges = [
    '::',
    '::1',
    '::2',
    '::ffff:1.2.3.4',
    '::fffe:0:0',
    '::1:0:0:0',
    'ff00::',
    'feff::1',
    'ff02::fb',
    'fe80::1',
  ]
  fc.assert(
    fc.property(fc.oneof(nearlyAddress, fc.constantFrom(...edges)), (text) => {
      const isIpv4Compatible = /^::\d+\./.test(text)
      const isHost = isIPv6(text) && !/%/.test(text) && !isIpv4Compatible && !nonHostIpv6.check(text, 'ipv6')
      return isHostAddress(text, 'ipv6') === isHost
    }),
    { numRuns: 20_000 },
  )
  for (const text of ['10.0.0.1', '169.254.3.4', '192.0.2.1', '223.255.255.255', '1.2.3.4', '126.0.0.1', '128.0.0.1']) {
    expect(isHostAddress(text, 'ipv4'), text).toBe(true)
  }
  for (const text of [
    '0.0.0.0',
    '0.1.2.3',
    '127.0.0.1',
    '224.0.0.251',
    '240.0.0.1',
    '255.255.255.255',
    '10.0.0',
    'fe80::1',
    '',
  ]) {
    expect(isHostAddress(text, 'ipv4'), text).toBe(false)
  }
})

test('returns one form for all forms of an IPv6 address, and leaves other texts unchanged', () => {
  const eightGroups = fc.array(fc.integer({ min: 0, max: 0xffff }), { minLength: 8, maxLength: 8 })
  fc.assert(
    fc.property(eightGroups, (numbers) => {
      const padded = numbers.map((number) => number.toString(16).padStart(4, '0')).join(':')
      const plain = numbers.map((number) => number.toString(16)).join(':')
      const short = new URL(`http://[${padded}]`).hostname.slice(1, -1)
      return [padded, padded.toUpperCase(), short].every((text) => canonicalAddress(text) === plain)
    }),
  )
  for (const text of ['10.0.0.1', '', '1::2::3', 'fe80::1%eth0', ':::', '::::::::'])
    expect(canonicalAddress(text)).toBe(text)
})

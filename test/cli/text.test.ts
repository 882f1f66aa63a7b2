import fc from 'fast-check'
import stringWidth from 'string-width'
import { describe, expect, test } from 'vitest'
import { countText, spanText } from '../../src/cli/format.ts'
import { allAddresses, referenceTo, typeText, viaText } from '../../src/cli/peer-text.ts'
import { peerFacts, stateReason } from '../../src/cli/show.ts'
import { plain, printable, printableJson, styleFor } from '../../src/cli/terminal.ts'
import { table } from '../../src/cli/text-columns.ts'
import { cut, loadWidths } from '../../src/cli/text-width.ts'
import { watchText } from '../../src/cli/watch.ts'
import { anyText } from './any-text.ts'
import { ago, NASTY_NAME, NOW, printer, somePeer, someService, studio } from './some-peers.ts'

await loadWidths('台所')

describe('printable', () => {
  test('returns no character that controls a terminal, for any text', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(printable(text)).not.toMatch(/[\p{Cc}\p{Cs}\p{Bidi_Control}\p{Zl}\p{Zp}]/u)
      }),
    )
  })

  test('keeps ordinary text of any script, and escapes everything else', () => {
    expect(printable('Küche 台所 👩‍👩‍👧')).toBe('Küche 台所 👩‍👩‍👧')
    expect(printable('a\n\u001b\u202e\u2028')).toBe('a\\x0a\\x1b\\u{202e}\\u{2028}')
  })

  test('as JSON parses back to the same value', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const json = printableJson({ text })
        expect(json).not.toMatch(/[\p{Cc}\p{Cs}\p{Bidi_Control}\p{Zl}\p{Zp}]/u)
        expect(JSON.parse(json)).toEqual({ text })
      }),
    )
  })
})

describe('an mDNS host that is taken for a peer', () => {
  const hidden = { id: studio.id, name: 'studio', because: 'claim' as const }

  test('is shown with that peer and the reason', () => {
    const taken = { ...printer, hidden }
    expect(viaText(taken)).toBe(`eth0 mdns,wlan0 mdns = ${studio.id.slice(0, 8)}`)
    expect(stateReason(taken, NOW)).toMatch(/^Not listed: it says by mDNS that it is 'studio' \(zzvq7m2x\)/)
    const byAddress = { ...taken, hidden: { ...hidden, because: 'address' as const } }
    expect(stateReason(byAddress, NOW)).toMatch(/^Not listed: its mDNS address is an address of 'studio'/)
  })

  test('is among the facts, and so are addresses that only the record names', () => {
    expect(peerFacts({ ...printer, hidden })).toContain(`hidden\t${studio.id}\tstudio\tclaim`)
    const named = { address: '192.168.1.99', family: 'ipv4' as const, interface: 'eth0' }
    const facts = peerFacts({ ...studio, addresses: [...studio.addresses, named] })
    expect(facts).toContain('address\t192.168.1.44\teth0\theard')
    expect(facts).toContain('address\t192.168.1.99\teth0\tnamed')
  })
})

describe('table', () => {
  const columns = [{ heading: 'NAME', minWidth: 12 }, { heading: 'STATE' }, { heading: 'SERVICES', minWidth: 4 }]
  const rows = fc.array(
    fc.tuple(anyText, anyText, anyText).map((row) => row.map(printable)),
    { maxLength: 5 },
  )

  test('is never wider than the given width', () => {
    fc.assert(
      fc.property(rows, fc.integer({ min: 1, max: 120 }), fc.boolean(), (cells, width, colours) => {
        const style = styleFor(colours, {})
        for (const line of table(columns, cells, { width, style })) expect(stringWidth(line)).toBeLessThanOrEqual(width)
      }),
    )
  })

  test('aligns wide characters, and cuts nothing if there is room', () => {
    const lines = table(
      columns,
      [
        ['台所', 'alive', 'http:80'],
        ['kitchen', 'left', ''],
      ],
      { width: 80 },
    )
    expect(lines).toEqual(['NAME     STATE  SERVICES', '台所     alive  http:80', 'kitchen  left'])
  })

  test('shrinks the widest column first, and below the minimum widths from the right', () => {
    const row = ['a long name it is', 'suspect', 'http:80 https:443 mqtt:1883']
    expect(table(columns, [row], { width: 40, headings: false })).toEqual(['a long name i…  suspect  http:80 https:…'])
    expect(table(columns, [row], { width: 24, headings: false })).toEqual(['a long name…  suspect  …'])
    expect(table(columns, [row], { width: 12, headings: false })).toEqual(['a lon…  …  …'])
  })

  test('cut keeps as many wide characters as fit', () => {
    const cuts = [1, 2, 3, 4, 5, 6, 7].map((width) => cut('会議室のプリンター', width))
    expect(cuts).toEqual(['…', '…', '会…', '会…', '会議…', '会議…', '会議室…'])
  })

  test('cut never exceeds the width', () => {
    fc.assert(
      fc.property(anyText, fc.integer({ min: 0, max: 20 }), (text, width) => {
        expect(stringWidth(cut(printable(text), width))).toBeLessThanOrEqual(Math.max(width, 0))
      }),
    )
  })
})

describe('a line of watch on a terminal', () => {
  const at = new Date(NOW).toISOString()
  const terminal = { terminal: true, width: 60, style: plain }

  test('is aligned, and cut to the width', () => {
    const line = { sign: '~' as const, at, peer: somePeer({ name: '台所' }), change: 'status=busy' }
    expect(watchText(line, { ...terminal, width: 200 })).toMatch(
      /^~ \d\d:\d\d:\d\d 台所 {12} alive {3}192\.168\.1\.20 {4}http:8080 mqtt:1883 \(status=busy\)$/,
    )
    const narrow = watchText(line, terminal)
    expect(stringWidth(narrow)).toBeLessThanOrEqual(60)
    expect(narrow).toContain('(status=busy)')
    const noChange = watchText({ ...line, change: '' }, { ...terminal, width: 50 })
    expect(noChange).toMatch(/http:….*$|…$/)
    expect(stringWidth(noChange)).toBe(50)
  })

  test('shows what changed on 80 columns, and leaves out other fields', () => {
    const services = Array.from({ length: 6 }, (_, port) => ({ ...someService, id: `${port}`, port: 8080 + port }))
    for (const name of ['kitchen', '会議室のプリンター二号機のとなりの机']) {
      const line = {
        sign: '~' as const,
        at,
        peer: somePeer({ name, services }),
        change: 'status=busy, temperature=21.5',
      }
      const text = watchText(line, { ...terminal, width: 80 })
      expect(text).toContain('(status=busy, temperature=21.5)')
      expect(text).toContain(name.slice(0, 6))
      expect(stringWidth(text)).toBeLessThanOrEqual(80)
    }
  })

  test.each([30, 31, 70, 71])('begins with sign, time and name on %i columns, also with wide characters', (width) => {
    const peer = somePeer({ name: '会議室のプリンター' })
    const text = watchText({ sign: '~', at, peer, change: '空いていますどうぞお使いください' }, { ...terminal, width })
    expect(text).toMatch(/^~ \d\d:\d\d:\d\d 会議室/)
    expect(stringWidth(text)).toBeLessThanOrEqual(width)
  })

  test('shows no control characters', () => {
    const line = { sign: '+' as const, at, peer: somePeer({ name: NASTY_NAME }), change: '' }
    expect(watchText(line, { ...terminal, width: 200 })).not.toMatch(/[\p{Cc}\p{Bidi_Control}]/u)
    expect(watchText({ sign: ':', at, change: '' }, terminal)).toBe(':')
  })
})

test.each([
  [-5, '0.0s'],
  [400, '0.4s'],
  [9949, '9.9s'],
  [9960, '10s'],
  [12_900, '12s'],
  [59_999, '59s'],
  [60_000, '1m'],
  [7_199_000, '1h'],
  [4 * 86_400_000, '4d'],
])('%i ms are %s', (ms, text) => {
  expect(spanText(ms)).toBe(text)
})

describe('the text of a peer', () => {
  test('lists the best address first', () => {
    expect(allAddresses(somePeer())).toBe('192.168.1.20,fe80::1%eth0')
    expect(allAddresses(somePeer({ addresses: [] }))).toBe('')
  })

  test('shows the paths on which the peer was heard recently', () => {
    const paths = [
      { interface: 'wlan0', path: 'unicast' as const, lastHeard: ago(400) },
      { interface: 'eth0', path: 'multicast6' as const, lastHeard: ago(60_000) },
      { interface: 'eth0', path: 'broadcast' as const, lastHeard: ago(500) },
    ]
    expect(viaText(somePeer({ paths }))).toBe('eth0 b,wlan0 u')
    expect(viaText(somePeer({ paths: [] }))).toBe('')
    expect(viaText(printer)).toBe('eth0 mdns,wlan0 mdns')
  })

  test('shows a type without underscores, and the protocol only for UDP', () => {
    expect([typeText('_http._tcp'), typeText('_osc._udp'), typeText('odd')]).toEqual(['http', 'osc/udp', 'odd'])
  })

  test('refers to a peer by its name, or by its id if a shell would need quotes', () => {
    expect(referenceTo(somePeer())).toBe('kitchen')
    expect(referenceTo(somePeer({ name: 'Küche' }))).toBe('Küche')
    expect(referenceTo(somePeer({ name: "$(rm -rf ~)'" }))).toBe('k3vq7m2x')
    expect(referenceTo(somePeer({ name: '--all' }))).toBe('k3vq7m2x')
  })

  test('gives a reason for the state', () => {
    expect(stateReason(somePeer(), NOW)).toBeUndefined()
    expect(stateReason(studio, NOW)).toMatch(/^Suspect: last heard 3\.8s ago, although it sends a beacon every 1s/)
    expect(stateReason(somePeer({ state: 'failed', lastSeen: ago(180_000) }), NOW)).toMatch(
      /^Failed: last heard 3m ago/,
    )
    const left = somePeer({ state: 'left', history: [{ at: ago(7_200_000), state: 'left' }] })
    expect(stateReason(left, NOW)).toBe('Left: it said goodbye 2h ago.')
    const [unicast, ...shared] = somePeer().paths
    const halfDeaf = somePeer({ paths: [...shared, { interface: 'eth0', path: 'broadcast', lastHeard: ago(90_000) }] })
    expect(unicast?.path).toBe('unicast')
    expect(stateReason(halfDeaf, NOW)).toMatch(/^Alive, but no longer heard on eth0 broadcast/)
    expect(stateReason(printer, NOW)).toMatch(/^Alive according to mDNS only/)
    expect(stateReason({ ...printer, state: 'suspect' }, NOW)).toMatch(
      /^Suspect: last heard 40s ago; it has not answered/,
    )
    expect(stateReason({ ...printer, state: 'failed' }, NOW)).toMatch(/^Failed: last heard 40s ago; .* records expired/)
    expect(stateReason({ ...printer, state: 'left' }, NOW)).toMatch(/^Left: /)
  })
})

test('whole numbers have separators', () => {
  expect([0, 999, 1000, 12_345, 1_234_567].map(countText)).toEqual(['0', '999', '1,000', '12,345', '1,234,567'])
})

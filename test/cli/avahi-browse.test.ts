import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { avahiBrowseLines } from '../../src/cli/avahi-browse.ts'
import { anyText } from './any-text.ts'
import { somePeer, someService } from './some-peers.ts'

const peer = somePeer({
  hostname: 'kitchen.local',
  addresses: [
    { address: 'fe80::1%eth0', family: 'ipv6', interface: 'eth0' },
    { address: 'fd00::1', family: 'ipv6', interface: 'eth0' },
    { address: '192.168.1.20', family: 'ipv4', interface: 'eth0' },
    { address: 'fe80::2%wlan0', family: 'ipv6', interface: 'wlan0' },
  ],
})

/** Reads a field as a script for Avahi does: replaces `\032` and `\.` by the characters they stand for. */
function unescaped(text: string): string {
  const bytes = [...text.matchAll(/\\(\d{3})|\\(.)|(.)/gsu)].flatMap(([, decimal, marked, plain]) =>
    decimal === undefined ? [...Buffer.from(marked ?? plain ?? '')] : [Number(decimal)],
  )
  return Buffer.from(bytes).toString()
}

/** The text after encoding as UTF-8, which replaces lone surrogates. */
function wellFormed(text: string): string {
  return Buffer.from(text).toString()
}

describe('the format of avahi-browse -rpk', () => {
  test('has two lines for each interface and protocol', () => {
    const service = { ...someService, name: 'My Name', txt: { path: '/', v: '2' } }
    expect(avahiBrowseLines([{ service, peer }])).toEqual([
      '+;eth0;IPv6;My\\032Name;_http._tcp;local',
      '+;eth0;IPv4;My\\032Name;_http._tcp;local',
      '+;wlan0;IPv6;My\\032Name;_http._tcp;local',
      '=;eth0;IPv6;My\\032Name;_http._tcp;local;kitchen.local;fd00::1;8080;"v=2" "path=/"',
      '=;eth0;IPv4;My\\032Name;_http._tcp;local;kitchen.local;192.168.1.20;8080;"v=2" "path=/"',
      '=;wlan0;IPv6;My\\032Name;_http._tcp;local;kitchen.local;fe80::2;8080;"v=2" "path=/"',
    ])
    expect(avahiBrowseLines([])).toEqual([])
  })

  test('escapes as Avahi does', () => {
    const lines = (name: string) => avahiBrowseLines([{ service: { ...someService, name }, peer }])
    expect(lines('a.b\\c;d_-9')[0]).toBe('+;eth0;IPv6;a\\.b\\\\c\\059d_-9;_http._tcp;local')
    expect(lines('Küche')[0]).toBe('+;eth0;IPv6;K\\195\\188che;_http._tcp;local')
    const service = { ...someService, txt: { k: 'a"b\\c\nd\u001be\u0000;ü🖥️' } }
    expect(avahiBrowseLines([{ service, peer }])[3]).toMatch(
      /;"k=a\\"b\\\\c\\010d\\027e\\000;\\195\\188\\240\\159\\150\\165\\239\\184\\143"$/,
    )
    const printer = { ...someService, txt: { ty: 'Größe', note: '', b: '~ !' } }
    expect(avahiBrowseLines([{ service: printer, peer }])[3]).toMatch(/;"b=~ !" "note=" "ty=Gr\\195\\182\\195\\159e"$/)
  })

  test('can be parsed back, and no name or TXT value can forge a line', () => {
    fc.assert(
      fc.property(anyText, anyText, anyText, (name, value, hostname) => {
        const service = { ...someService, name, txt: { key: value } }
        const lines = avahiBrowseLines([{ service, peer: { ...peer, hostname } }])
        expect(lines).toHaveLength(6)
        for (const line of lines) expect(line).not.toMatch(/[\p{Cc}\p{Cs}\p{Bidi_Control}\p{Zl}\p{Zp}]/u)
        const [, , , instance = '', type, , host = '', address, port, ...rest] = lines[3]?.split(';') ?? []
        expect([type, address, port]).toEqual(['_http._tcp', 'fd00::1', '8080'])
        expect([unescaped(instance), unescaped(host)]).toEqual([wellFormed(name), wellFormed(hostname)])
        expect(unescaped(rest.join(';').slice(1, -1))).toBe(`key=${wellFormed(value)}`)
        expect(rest.join(';')).toMatch(/^"(?:[^"\\]|\\.)*"$/su)
      }),
    )
  })
})

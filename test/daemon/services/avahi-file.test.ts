import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readAvahiFile } from '../../../src/daemon/services/avahi-file.ts'
import { BadService } from '../../../src/shared/errors.ts'

const facts = { name: 'kitchen', hostname: 'kitchen.lan.example' }
const read = (text: string, base = 'shop') => readAvahiFile(text, base, facts)
const group = (...services: string[]) =>
  `<?xml version="1.0" standalone='no'?><!--*-nxml-*-->
<!DOCTYPE service-group SYSTEM "avahi-service.dtd">
<service-group>
  <name replace-wildcards="yes">Shop on %h</name>
${services.map((service) => `  <service>${service}</service>`).join('\n')}
</service-group>
`
const withTxt = (record: string) => read(group(`<type>_http._tcp</type><port>80</port>${record}`))[0]?.txt

test("reads a file in Avahi's format", () => {
  const text = `<?xml version="1.0" standalone='no'?><!--*-nxml-*-->
<!DOCTYPE service-group SYSTEM "avahi-service.dtd">

<!-- See avahi.service(5) for more information about this configuration file -->

<service-group>

  <name replace-wildcards="yes">%h &amp; more</name>

  <service protocol="ipv4">
    <type>_printer._tcp</type>
    <subtype>_color._sub._printer._tcp</subtype>
    <domain-name>local</domain-name>
    <host-name>kitchen.local</host-name>
    <port>0515</port>
    <txt-record>path=/</txt-record>
    <txt-record value-format="text"><![CDATA[note=<b> & "]]></txt-record>
  </service>
</service-group>
`
  expect(read(text, 'lpd')).toEqual([
    {
      id: 'lpd',
      name: 'kitchen & more',
      type: '_printer._tcp',
      port: 515,
      txt: { path: '/', note: '<b> & "' },
      subtypes: ['_color'],
    },
  ])
})

test('several services of a file get ids by their types', () => {
  const services = ['_afpovertcp._tcp', '_device-info._tcp', '_dns._udp', '_dns._tcp', '_dns._tcp']
  const ids = read(group(...services.map((type) => `<type>${type}</type>`)), 'mac').map(
    ({ id, port }) => `${id} ${port}`,
  )
  expect(ids).toEqual([
    'mac.afpovertcp-tcp 0',
    'mac.device-info-tcp 0',
    'mac.dns-udp 0',
    'mac.dns-tcp 0',
    'mac.dns-tcp.2 0',
  ])
})

test('wildcards are replaced only with replace-wildcards', () => {
  const one = '<service><type>_http._tcp</type></service>'
  const name = (attribute: string) =>
    read(`<service-group><name${attribute}>%h %h</name>${one}</service-group>`)[0]?.name
  expect(name(' replace-wildcards="yes"')).toBe('kitchen kitchen')
  expect(name(" replace-wildcards='no'")).toBe('%h %h')
  expect(name('')).toBe('%h %h')
})

describe('TXT records', () => {
  test('in hex and base64', () => {
    expect(withTxt('<txt-record value-format="binary-hex">k=c3A9</txt-record>')).toEqual({ k: 'é' })
    expect(withTxt('<txt-record value-format="binary-base64">k=w6k=</txt-record>')).toEqual({ k: 'é' })
    expect(withTxt('<txt-record value-format="binary-base64">k=w6k</txt-record>')).toEqual({ k: 'é' })
    expect(withTxt('<txt-record value-format="binary-hex">k=</txt-record>')).toEqual({ k: '' })
  })

  test('the first of duplicate keys counts, a key without = has an empty value, an empty record is ignored', () => {
    expect(withTxt('<txt-record>Path=a=b</txt-record><txt-record>path=c</txt-record>')).toEqual({ Path: 'a=b' })
    expect(withTxt('<txt-record>duplex</txt-record><txt-record/>')).toEqual({ duplex: '' })
  })

  test('any text value is read the same in every format', () => {
    // What XML can carry, but for line ends, which it makes alike (section 2.11).
    const text = fc.string({ unit: 'grapheme', maxLength: 60 }).filter((value) => !/\p{Cc}/u.test(value))
    fc.assert(
      fc.property(text, (value) => {
        const escaped = value.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`)
        const base64 = Buffer.from(value).toString('base64')
        const hex = Buffer.from(value).toString('hex')
        expect(withTxt(`<txt-record>k=${escaped}</txt-record>`)).toEqual({ k: value })
        expect(withTxt(`<txt-record value-format="binary-hex">k=${hex}</txt-record>`)).toEqual({ k: value })
        expect(withTxt(`<txt-record value-format="binary-base64">k=${base64}</txt-record>`)).toEqual({ k: value })
      }),
    )
  })
})

test.each<[string, string]>([
  ['', 'Start tag expected'],
  ['[Unit]\nDescription=x', 'not expected'],
  ['<service-group><name>x</name>', 'Unclosed tag'],
  ['<a/><b/>', 'expected exactly one top-level element'],
  ['<group/>', 'expected <service-group>, found <group>'],
  ['<service-group><name>x</name></service-group>', '<service> is missing'],
  ['<service-group><service><type>_a._tcp</type></service></service-group>', '<name> is missing'],
  ['<service-group><name>x</name><name>y</name><service/></service-group>', '<name> is given twice'],
  [group('<port>1</port>'), '<type> is missing'],
  [group('<type>_http._tcp</type><prot>1</prot>'), "unknown element <prot> (did you mean 'port'?)"],
  [group('<type>_http._tcp</type><port>80a</port>'), 'port: expected a port from 0 to 65535, found "80a"'],
  [group('<type>_http._tcp</type>', '<type>http.tcp</type>'), 'service 2: type: expected a type such as'],
  [
    group('<type>_http._tcp</type><host-name>nas.local</host-name>'),
    "<host-name> is 'nas.local', and a peer publishes",
  ],
  [group('<type>_http._tcp</type><txt-record>=x</txt-record>'), 'txt: expected keys of'],
  [
    group('<type>_http._tcp</type><txt-record value-format="hex">k=0</txt-record>'),
    'expected value-format to be one of',
  ],
  [group('<type>_http._tcp</type><txt-record value-format="binary-hex">k=0</txt-record>'), "txt.k: '0' is not hex"],
  [
    group('<type>_http._tcp</type><txt-record value-format="binary-hex">k=ff</txt-record>'),
    'txt.k: the value is not UTF-8 text',
  ],
  [
    group(`<type>_http._tcp</type><txt-record>k=${'x'.repeat(300)}</txt-record>`),
    'txt.k: key, = and value together have 302 bytes',
  ],
  [group('<type>_http._tcp</type><txt-record>k=&nbsp;</txt-record>'), "unknown reference '&nbsp;'"],
])('%j is refused with its reason', (text, reason) => {
  expect(() => read(text)).toThrow(BadService)
  expect(() => read(text)).toThrow(reason)
})

test('declared entities are never expanded: no entity bomb, no file access', () => {
  const levels = Array.from({ length: 20 }, (_, n) => `<!ENTITY l${n + 1} "${`&l${n};`.repeat(10)}">`).join('')
  const bomb = (declared: string, reference: string) =>
    `<!DOCTYPE service-group [${declared}]><service-group><name>${reference}</name><service><type>_a._tcp</type></service></service-group>`
  const start = performance.now()
  for (const [declared, reference] of [
    [`<!ENTITY l0 "lol">${levels}`, '&l20;'],
    [`<!ENTITY big "${'x'.repeat(9000)}">`, '&big;'.repeat(5000)],
    ['<!ENTITY passwd SYSTEM "file:///etc/passwd">', '&passwd;'],
    ['<!ENTITY % p "<!ENTITY q \'x\'>"> %p;', '&q;'],
  ] as const) {
    expect(() => read(bomb(declared, reference))).toThrow()
  }
  expect(performance.now() - start).toBeLessThan(1000)
})

test('any text gives a result or a BadService', () => {
  const pieces = [
    '<service-group>',
    '</service-group>',
    '<name>',
    '</name>',
    '<service>',
    '</service>',
    '<![CDATA[',
    ']]>',
    '<!--',
    '-->',
    '<!DOCTYPE',
    '[',
    ']',
    '<!ENTITY x "y">',
    '&x;',
    '&#0;',
    '&#x110000;',
    '<type>',
    '</type>',
    '"',
    '>',
    'x',
    ' ',
    '<__proto__>',
  ]
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 30 }), (parts) => {
      try {
        expect(read(parts.join('')).length).toBeGreaterThan(0)
      } catch (error) {
        expect(error).toBeInstanceOf(BadService)
      }
    }),
    { numRuns: 2000 },
  )
})

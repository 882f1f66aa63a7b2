import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { run, runOnTerminal } from './command.ts'
import { FakeDaemon } from './fake-daemon.ts'
import { NASTY_NAME, printer, somePeer, someService, studio } from './some-peers.ts'

const daemon = new FakeDaemon()
const env = { EARSHOT_SOCKET: daemon.socket }
const NASTY_TXT = {
  line: 'a\nb',
  semicolon: '1;2',
  nul: 'x\0y',
  quote: '"q"',
  utf8: 'Küche 台所',
  emoji: '🖥️',
  colour: '\u001b[31m',
}

beforeAll(async () => await daemon.start())
afterAll(async () => await daemon.remove())
beforeEach(() => {
  daemon.peers = [studio, somePeer()]
  daemon.asked.length = 0
})

describe('services', () => {
  test('is a table', async () => {
    const piped = await run('earshot', ['services'], { env })
    expect(piped.stdout.split('\n').map((line) => line.split('\t'))).toEqual([
      ['NAME', 'TYPE', 'PEER', 'ADDRESS:PORT', 'TXT', 'SOURCE'],
      ['MQTT', 'mqtt', 'kitchen', '192.168.1.20:1883', '', 'beacon'],
      ['OSC', 'osc/udp', 'studio', '192.168.1.44:9000', '', 'beacon'],
      ['Shop', 'http', 'kitchen', '192.168.1.20:8080', 'path=/', 'beacon'],
      [''],
    ])
    const { stdout } = await runOnTerminal(100, ['services', 'http', '--self'], { env: { ...env, NO_COLOR: '1' } })
    expect(stdout.split('\n')[0]?.split(/ {2,}/)).toEqual(['NAME', 'TYPE', 'PEER', 'ADDRESS:PORT', 'TXT', 'SOURCE'])
    expect(stdout).toMatch(/\n1 service\n$/)
    const all = await runOnTerminal(100, ['services'], { env: { ...env, NO_COLOR: '1' } })
    expect(all.stdout).toMatch(/\n3 services\n$/)
    expect(daemon.asked).toEqual(['/v1/services?', '/v1/services?type=http&self=1', '/v1/services?'])
  })

  test('takes the flags of ls: --where, and -p for the format of avahi-browse', async () => {
    daemon.peers = [somePeer()]
    const { stdout } = await run('earshot', ['services', 'http', '--where', 'status=idle', '-p'], { env })
    expect(stdout).toBe(
      '+;eth0;IPv6;Shop;_http._tcp;local\n+;eth0;IPv4;Shop;_http._tcp;local\n' +
        '=;eth0;IPv6;Shop;_http._tcp;local;kitchen.lan;fe80::1;8080;"path=/"\n' +
        '=;eth0;IPv4;Shop;_http._tcp;local;kitchen.lan;192.168.1.20;8080;"path=/"\n',
    )
    expect(daemon.asked).toEqual(['/v1/peers?service=http&attr.status=idle'])
    const { status, stderr } = await run('earshot', ['services', 'a b'], { env })
    expect([status, stderr]).toEqual([
      2,
      'earshot: TYPE: expected a service type such as http, osc/udp or _http._tcp, found "a b"\n',
    ])
  })

  test('marks services found by mDNS, with their own addresses, and leaves them out with --signed', async () => {
    const addresses = [{ address: '192.168.1.21', family: 'ipv4' as const, interface: 'eth0' }]
    const added = {
      ...someService,
      id: 'P._ipp._tcp',
      name: 'P',
      type: '_ipp._tcp',
      source: 'mdns' as const,
      addresses,
    }
    daemon.peers = [somePeer({ services: [someService, added] }), printer]
    const { stdout } = await run('earshot', ['services', '--no-headers'], { env })
    expect(stdout.split('\n').map((line) => [line.split('\t')[3], line.split('\t')[5]])).toEqual([
      ['192.168.1.60:631', 'mdns'],
      ['192.168.1.21:8080', 'mdns'],
      ['192.168.1.20:8080', 'beacon'],
      [undefined, undefined],
    ])
    const listed = await run('earshot', ['ls', '--no-headers'], { env })
    expect(listed.stdout.split('\n').map((line) => line.split('\t')[3])).toEqual([
      'http:8080 ipp:8080(mdns)',
      'ipp:631',
      undefined,
    ])
    const resolved = await run('earshot', ['resolve', 'kitchen', '--service', 'ipp'], { env })
    expect([resolved.stdout, resolved.stderr]).toEqual([
      '192.168.1.21:8080\n',
      "earshot: 'kitchen' has not signed this service: it was found by mDNS (--signed leaves it out)\n",
    ])
    daemon.asked.length = 0
    for (const args of [['services'], ['ls'], ['resolve', 'kitchen'], ['wait', '--name', 'kitchen']]) {
      await run('earshot', [...args, '--signed'], { env })
    }
    expect(daemon.asked.length).toBeGreaterThanOrEqual(4)
    for (const asked of daemon.asked) expect(asked).toContain('source=beacon')
  })

  test('prints the body of the API response with --json', async () => {
    const { stdout } = await run('earshot', ['services', '--json'], { env })
    const { services, ...rest } = JSON.parse(stdout)
    expect(rest).toEqual({ epoch: daemon.epoch, index: daemon.index })
    const { id, name, state, hostname, addresses } = studio
    expect(services[0]).toEqual({ ...studio.services[0], peer: { id, name, state, hostname, addresses } })
  })

  test('no value can forge a line or a colour: table, -p, show, JSON', async () => {
    daemon.peers = [somePeer({ name: NASTY_NAME, services: [{ ...someService, name: NASTY_NAME, txt: NASTY_TXT }] })]
    const piped = (await run('earshot', ['services', '--no-headers'], { env })).stdout
    expect(piped.split('\n')).toHaveLength(2)
    expect(piped.split('\t')[4]).toBe(
      'line="a\\nb" semicolon=1;2 nul="x\\u0000y" quote="\\"q\\"" utf8="Küche 台所" emoji=🖥️ colour="\\u001b[31m"',
    )
    const parsable = (await run('earshot', ['ls', '-p'], { env })).stdout
    expect(parsable.split('\n')).toHaveLength(5)
    const shown = await runOnTerminal(300, ['services'], { env: { ...env, NO_COLOR: '1' } })
    expect(shown.stdout.split('\n')).toHaveLength(4)
    const json = (await run('earshot', ['services', '--json'], { env })).stdout
    expect(JSON.parse(json).services[0].txt).toEqual(NASTY_TXT)
    const { stdout: show } = await run('earshot', ['show', NASTY_NAME], { env })
    for (const text of [piped, parsable, shown.stdout, json, show]) {
      expect(text.replace(/[\n\t]/g, '')).not.toMatch(/[\p{Cc}\p{Bidi_Control}]/u)
    }
  })
})

describe('ls -p', () => {
  test('prints the services in the format of avahi-browse', async () => {
    const { stdout } = await run('earshot', ['ls', '-p', '--service', 'http'], { env })
    expect(stdout).toBe(
      '+;eth0;IPv6;Shop;_http._tcp;local\n+;eth0;IPv4;Shop;_http._tcp;local\n' +
        '=;eth0;IPv6;Shop;_http._tcp;local;kitchen.lan;fe80::1;8080;"path=/"\n' +
        '=;eth0;IPv4;Shop;_http._tcp;local;kitchen.lan;192.168.1.20;8080;"path=/"\n',
    )
    expect(daemon.asked).toEqual(['/v1/peers?service=http&state=alive&state=suspect&state=failed'])
  })
})

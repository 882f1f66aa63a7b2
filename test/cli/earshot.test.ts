import stringWidth from 'string-width'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { run, runOnTerminal } from './command.ts'
import { FakeDaemon } from './fake-daemon.ts'
import { NASTY_NAME, printer, somePeer, someSelf, studio } from './some-peers.ts'

const daemon = new FakeDaemon()
const env = { EARSHOT_SOCKET: daemon.socket }
const ESCAPE = '\u001b'

beforeAll(async () => await daemon.start())
afterAll(async () => await daemon.remove())
beforeEach(() => {
  daemon.peers = [studio, somePeer()]
  daemon.refusal = undefined
  daemon.asked.length = 0
})

describe('ls', () => {
  test('counts failed peers that it does not list', async () => {
    daemon.peers = [somePeer(), somePeer({ id: 'f'.repeat(26), name: 'attic', state: 'failed' })]
    const { stdout } = await runOnTerminal(100, ['ls'], { env: { ...env, NO_COLOR: '1' } })
    expect(stdout).toMatch(/\n1 peer, 1 alive; 1 failed: --all\n$/)
    expect(stdout).not.toContain('attic')
    const json = await run('earshot', ['ls', '--json'], { env })
    expect(JSON.parse(json.stdout).peers).toHaveLength(1)
    expect((await run('earshot', ['ls', '--all'], { env })).stdout).toContain('attic')
  })

  test('says on standard error why the list is empty', async () => {
    daemon.peers = []
    const alone = await run('earshot', ['ls', '--no-headers'], { env })
    expect(alone).toEqual({
      status: 0,
      stdout: '',
      stderr:
        'earshot: no other peer is heard on eth0 (earshotd must run on the other machines, and their firewalls must let in UDP port 15353)\n',
    })
    expect((await run('earshot', ['services', 'http'], { env })).stderr).toBe(alone.stderr)
  })

  test('prints no reason if peers are heard but have no services', async () => {
    daemon.peers = [somePeer({ services: [] })]
    expect(await run('earshot', ['services', '--no-headers'], { env })).toEqual({ status: 0, stdout: '', stderr: '' })
  })

  test('is a table with a footer on a terminal', async () => {
    const { stdout, status } = await runOnTerminal(100, ['ls'], { env: { ...env, NO_COLOR: '1' } })
    expect(status).toBe(0)
    const [headings, kitchen, suspect, footer] = stdout.split('\n')
    expect(headings?.split(/ {2,}/)).toEqual(['NAME', 'STATE', 'ADDRESS', 'SERVICES', 'SEEN', 'VIA'])
    expect(kitchen).toMatch(/^kitchen {2}alive {4}192\.168\.1\.20 {2}http:8080 mqtt:1883 {2}\S+ +eth0 b m4 m6$/)
    expect(suspect).toMatch(/^studio {3}suspect {2}192\.168\.1\.44 {2}osc\/udp:9000 +\S+ +eth0 b$/)
    expect(footer).toBe("2 peers, 1 alive — 'earshot show studio' says why it is suspect")
  })

  test('has colours on a terminal, unless NO_COLOR is set', async () => {
    expect((await runOnTerminal(100, ['ls'], { env })).stdout).toContain(`${ESCAPE}[32malive${ESCAPE}[39m`)
    expect((await runOnTerminal(100, ['ls'], { env: { ...env, NO_COLOR: '1' } })).stdout).not.toContain(ESCAPE)
    expect((await runOnTerminal(100, ['ls'], { env: { ...env, TERM: 'dumb' } })).stdout).not.toContain(ESCAPE)
    expect((await run('earshot', ['ls'], { env })).stdout).not.toContain(ESCAPE)
  })

  test.each([20, 40, 60])('fits a terminal of %i columns', async (columns) => {
    daemon.peers = [studio, somePeer({ name: '台所のディスプレイ🖥️🖥️🖥️🖥️🖥️' })]
    const { stdout } = await runOnTerminal(columns, ['ls'], { env: { ...env, NO_COLOR: '1' } })
    for (const line of stdout.split('\n').slice(0, 3)) expect(stringWidth(line)).toBeLessThanOrEqual(columns)
    expect(stdout).toContain('…')
    const wide = await runOnTerminal(columns, ['ls', '--wide'], { env: { ...env, NO_COLOR: '1' } })
    expect(wide.stdout).toContain('192.168.1.20,fe80::1%eth0')
    expect(wide.stdout).not.toContain('…')
  })

  test('is tab-separated in a pipe, with whole values', async () => {
    const { stdout, stderr, status } = await run('earshot', ['ls', '--ids'], { env })
    expect([status, stderr]).toEqual([0, ''])
    expect(stdout.split('\n').map((line) => line.split('\t'))).toEqual([
      ['NAME', 'ID', 'STATE', 'ADDRESS', 'SERVICES', 'SEEN', 'VIA'],
      [
        'kitchen',
        'k3vq7m2xa4aaaaaaaaaaaaaaaa',
        'alive',
        '192.168.1.20,fe80::1%eth0',
        'http:8080 mqtt:1883',
        '2026-11-21T09:14:09.600Z',
        'eth0 b m4 m6',
      ],
      ['studio', studio.id, 'suspect', '192.168.1.44', 'osc/udp:9000', studio.lastSeen, 'eth0 b'],
      [''],
    ])
    const bare = await run('earshot', ['members', '--no-headers'], { env })
    expect(bare.stdout.split('\n')).toHaveLength(3)
  })

  test('prints the body of the API response with --json', async () => {
    daemon.peers = [somePeer({ name: NASTY_NAME })]
    const { stdout } = await run('earshot', ['ls', '--json'], { env })
    expect(JSON.parse(stdout)).toEqual({ epoch: '9f3c1d', index: daemon.index, peers: daemon.peers })
    expect(stdout.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Bidi_Control}]/u)
  })

  test('passes its filters to the daemon', async () => {
    const flags = [
      '--service',
      'http',
      '--service',
      'osc/udp',
      '--state',
      'alive,left',
      '--where',
      'status=a=b',
      '--self',
    ]
    await run('earshot', ['ls', ...flags], { env })
    await run('earshot', ['ls', '--all'], { env })
    const [first, second] = daemon.asked
      .filter((url) => /^\/v1\/peers\?./.test(url))
      .map((url) => Object.fromEntries(multiple(url)))
    expect(first).toEqual({
      service: ['http', 'osc/udp'],
      state: ['alive', 'left'],
      'attr.status': ['a=b'],
      self: ['1'],
    })
    expect(second).toEqual({ state: ['all'], hidden: ['1'] })
  })

  test('prints no control characters from the network', async () => {
    daemon.peers = [somePeer({ name: NASTY_NAME, hostname: NASTY_NAME, attributes: { [NASTY_NAME]: NASTY_NAME } })]
    for (const args of [['ls'], ['show', NASTY_NAME]]) {
      const { stdout } = await runOnTerminal(300, args, { env: { ...env, NO_COLOR: '1' } })
      expect(stdout.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Bidi_Control}]/u)
      expect(stdout).toContain('evil\\x1b[2J\\x9b31m\\x0d\\x0aroot\\u{202e}gnp.exe\\x7f')
    }
  })

  test('fails without the daemon that --socket names, and listens if no daemon is named', async () => {
    const named = await run('earshot', ['ls', '--socket', '/nonexistent/socket'])
    expect(named.status).toBe(3)
    expect(named.stderr).toMatch(/^earshot: no earshot daemon answers; looked at \/nonexistent\/socket [^\n]+\n$/)

    const alone = { EARSHOT_SOCKET: '/nonexistent/socket', EARSHOT_PORT: '25353', EARSHOT_INTERFACE: 'none' }
    const unnamed = await run('earshot', ['ls', '--json'], { env: { ...alone } })
    expect(unnamed.stderr).toMatch(
      /^earshot: no daemon answers: listening for a second \(start one: earshotd\)\n(earshot: no matching peer was heard .*\n)?$/,
    )
    expect(JSON.parse(unnamed.stdout)).toMatchObject({ peers: [] })
    expect(unnamed.status).toBe(0)
  })
})

describe('show', () => {
  test('prints everything that is known about a peer', async () => {
    const { stdout, status } = await runOnTerminal(200, ['show', 'studio'], { env: { ...env, NO_COLOR: '1' } })
    expect(status).toBe(0)
    expect(stdout).toMatch(/^studio {2}suspect\nSuspect: last heard \S+ ago, although it sends a beacon every 1s/)
    for (const part of [studio.id, 'Addresses', '192.168.1.44', '_osc._udp, port 9000', '2 lost (0.2 %)', 'History']) {
      expect(stdout).toContain(part)
    }
    const json = await run('earshot', ['show', 'studio', '--json'], { env })
    expect(JSON.parse(json.stdout)).toEqual(studio)
  })

  test('leaves out fields that an mDNS host does not have', async () => {
    daemon.peers = [printer]
    const { stdout } = await runOnTerminal(200, ['show', 'printer.local'], { env: { ...env, NO_COLOR: '1' } })
    expect(stdout).toMatch(/^Office printer {2}alive\nAlive according to mDNS only/)
    expect(stdout).toMatch(/found by {2}mDNS/)
    for (const part of ['beats', 'jitter', 'round trip', 'incarnation', 'software']) expect(stdout).not.toContain(part)
  })

  test('prints one fact per line in a pipe: names, tabs, whole values, ISO 8601', async () => {
    const { stdout, stderr, status } = await run('earshot', ['show', 'studio'], { env })
    expect([status, stderr]).toEqual([0, ''])
    const lines = stdout.trimEnd().split('\n')
    for (const line of [
      'name\tstudio',
      'state\tsuspect',
      `id\t${studio.id}`,
      `last-seen\t${studio.lastSeen}`,
      'interval-ms\t1000',
      'address\t192.168.1.44\teth0\theard',
      'service\tosc\tOSC\t_osc._udp\t9000\tbeacon\t\t',
      'attribute\ttemperature\t21.5',
      `path\teth0\tbroadcast\t${studio.lastSeen}`,
      `history\t${studio.history[1]?.at}\tsuspect`,
    ]) {
      expect(lines).toContain(line)
    }
    daemon.peers = [somePeer({ name: NASTY_NAME, attributes: { note: 'two\nlines\tand a tab' } })]
    const hostile = await run('earshot', ['show', NASTY_NAME], { env })
    expect(hostile.stdout).toContain('\nattribute\tnote\ttwo\\x0alines\\x09and a tab\n')
  })

  test('exits with 1 if there is no such peer', async () => {
    const { stderr, status } = await run('earshot', ['show', 'nobody'], { env })
    expect([status, stderr]).toEqual([
      1,
      "earshot: no peer has the name 'nobody' or an id that begins with it (try 'earshot ls --all')\n",
    ])
  })
})

describe('status', () => {
  test('prints the condition of the daemon', async () => {
    const shown = { env: { ...env, NO_COLOR: '1' } }
    const { stdout, status } = await runOnTerminal(200, ['status'], shown)
    expect(status).toBe(0)
    expect(stdout).toMatch(/^desk {2}up /)
    expect(stdout).toMatch(/multicast4 {2}deaf: heard itself/)
    expect(stdout).toMatch(/multicast6 {2}fault: send ENETUNREACH/)
    expect(stdout).toMatch(/docker0 {2}excluded by docker\*/)
    expect(stdout).toMatch(/received {2}beat 12,345, record 3\n/)
    expect(stdout).toMatch(/refused {3}stale 2\n/)
    expect(stdout).toContain('67,108,864 of 67,108,864 bytes (full)')
    const names = "Shop, http: published\n             OSC (2), osc/udp: probing, as 'OSC' is taken"
    expect(stdout).toContain(
      `\nmDNS\n  host       own77m2xa4.local\n  names      ${names}\n  looks for  earshot/udp http\n`,
    )
    expect(stdout).toMatch(/hosts {6}7 of 1,024\n/)
    expect(stdout).toMatch(/services {3}20 of 4,096, no more from 10\.0\.0\.66: one address may fill a quarter\n/)
    const json = await run('earshot', ['status', '--json'], { env })
    expect(JSON.parse(json.stdout)).toEqual(daemon.self)
    daemon.self = { ...someSelf, mdns: null }
    expect((await runOnTerminal(200, ['status'], shown)).stdout).toContain('\nmDNS\n  off\n')
    daemon.self = someSelf
  })
})

test('status prints one fact per line in a pipe', async () => {
  const { stdout } = await run('earshot', ['status'], { env })
  const lines = stdout.trimEnd().split('\n')
  for (const line of [
    `started-at\t${someSelf.startedAt}`,
    'service\tosc\tOSC\t_osc._udp\t8080\tfile\t/etc/earshot/services.d/osc.toml\t',
    'interface\teth0\t192.168.1.5',
    `path\teth0\tmulticast4\t${someSelf.interfaces[0]?.paths[1]?.lastEcho}\tdeaf`,
    'path\teth0\tmulticast6\t\tsend ENETUNREACH',
    'left-out\tdocker0\texcluded by docker*',
    'received\tbeat\t12345',
    'limit\trecordBytes\t67108864\t67108864',
    'mdns-name\tosc\tOSC (2)\t_osc._udp\tprobing',
  ]) {
    expect(lines).toContain(line)
  }
})

describe('exit status and errors', () => {
  test.each([
    [['lss'], "unknown command 'lss' (did you mean 'ls'?)"],
    [['ls', '--servic', 'http'], "unknown flag '--servic' (did you mean '--service'?)"],
    [['ls', 'extra'], "unexpected argument 'extra' (see 'earshot --help')"],
    [['show'], "show: PEER is missing (see 'earshot show --help')"],
    [['announce', 'Shop'], "announce: TYPE is missing (see 'earshot announce --help')"],
    [['set'], "set: KEY=VALUE is missing (see 'earshot set --help')"],
    [['unset'], "unset: KEY is missing (see 'earshot unset --help')"],
    [['ls', '--where'], "--where needs a value (see 'earshot --help')"],
    [['ping', 'kitchen', '-c'], "-c needs a value (see 'earshot --help')"],
    [['watch', '--exec-timeout', '5s'], '--exec-timeout needs --exec'],
    [['ls', '--state', 'dead'], '--state: expected alive, suspect, failed, left or all, found "dead"'],
    [['ls', '--where', 'status'], '--where: expected key=value, found "status"'],
    [
      [],
      'which command? ls, members, services, show, watch, publish, announce, unpublish, set, unset, resolve, wait, ping, ' +
        "status, completion (see 'earshot --help')",
    ],
    [['publish', 'Shop', 'http'], "publish: PORT is missing (see 'earshot publish --help')"],
    [['publish', 'Shop', 'http', '80 '], 'PORT: expected a whole number from 0 to 65535, found "80 "'],
    [['publish', 'Shop', 'http', '80', '=x'], 'TXT: expected key=value, found "=x"'],
    [['publish', 'Shop', 'http', '80', '--ttl', '25h'], '--ttl: expected 1s to 24h, found "25h"'],
    [['publish', 'Shop', 'http', '80', '--subtyp', 'x'], "unknown flag '--subtyp' (did you mean '--subtype'?)"],
    [
      ['publish', 'Shop', 'http', '80', '--detach', '--', 'true'],
      '--detach exits at once, so no command can follow --',
    ],
    [['set', 'status'], 'set: expected key=value, found "status"'],
    [['wait', '--timeout', '5'], '--timeout: expected a duration such as 500ms, 2s or 5m, found "5"'],
    [['wait', '--count', '0'], '--count: expected a whole number from 1 to 16384, found "0"'],
    [['ping', 'kitchen', '-c', 'x'], '--count: expected a whole number from 1 to 1000000, found "x"'],
    [['watch', '--exec', 'true', '--exec-timeout', '1ms'], '--exec-timeout: expected 100ms to 24h, found "1ms"'],
    [['ls', '--live'], "--live needs a terminal (for programs: 'earshot watch')"],
    [['ls', '-p', '--json'], "--parsable and --json cannot be given together (see 'earshot --help')"],
  ])('%j is wrong usage: exit status 2', async (args, message) => {
    expect(await run('earshot', args, { env })).toEqual({ status: 2, stdout: '', stderr: `earshot: ${message}\n` })
  })

  test.each([
    [400, 'EARSHOT_BAD_REQUEST', 2],
    [409, 'EARSHOT_AMBIGUOUS_PEER', 1],
    [503, 'EARSHOT_TOO_MANY_READERS', 1],
  ])('a response %i %s gives exit status %i', async (httpStatus, code, expected) => {
    daemon.refusal = { statusCode: httpStatus, code, error: '', message: 'so\u001b it is' }
    const { status, stderr } = await run('earshot', ['show', 'x'], { env })
    expect([status, stderr]).toEqual([expected, 'earshot: so\\x1b it is\n'])
  })

  test('without a daemon the exit status is 3', async () => {
    for (const args of [['status'], ['show', 'x'], ['watch']]) {
      expect((await run('earshot', [...args, '--socket', '/nonexistent/socket'])).status).toBe(3)
    }
  })

  test('--help and --version print to standard output', async () => {
    expect(await run('earshot', ['--help'])).toMatchObject({ status: 0, stderr: '' })
    expect((await run('earshot', ['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
  })
})

function multiple(url: string): [string, string[]][] {
  const { searchParams } = new URL(url, 'http://localhost')
  return [...new Set(searchParams.keys())].map((key) => [key, searchParams.getAll(key)])
}

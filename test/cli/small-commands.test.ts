import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { run, start } from './command.ts'
import { FakeDaemon } from './fake-daemon.ts'
import { somePeer, studio } from './some-peers.ts'

const daemon = new FakeDaemon()
const env = { EARSHOT_SOCKET: daemon.socket }

beforeAll(async () => await daemon.start())
afterAll(async () => await daemon.remove())
beforeEach(() => {
  daemon.peers = [studio, somePeer()]
  daemon.probes = []
  daemon.asked.length = 0
  daemon.changes.length = 0
})

describe('set and unset', () => {
  test('parse numbers and booleans, and keep quoted values as text', async () => {
    const values = [
      'status=idle',
      'temperature=-21.5',
      'on=true',
      'zip="01234"',
      'code=007',
      'n="5"',
      'e=',
      'a=b=c',
      'q="x',
    ]
    const { status, stdout } = await run('earshot', ['set', ...values, 'big=12345678901234567890', 'u=21.5 °C'], {
      env,
    })
    expect([status, stdout]).toEqual([0, ''])
    const patch = {
      status: 'idle',
      temperature: -21.5,
      on: true,
      zip: '01234',
      code: '007',
      n: '5',
      e: '',
      a: 'b=c',
      q: '"x',
    }
    const rest = { big: '12345678901234567890', u: '21.5 °C' }
    expect(daemon.changes).toEqual([['PATCH', '/v1/self/attributes', { ...patch, ...rest }]])
  })

  test('unset removes attributes', async () => {
    const { stdout } = await run('earshot', ['unset', 'status', 'on', '--json'], { env })
    expect(daemon.changes).toEqual([['PATCH', '/v1/self/attributes', { status: null, on: null }]])
    const { attributes } = JSON.parse(stdout)
    expect(attributes).toEqual(daemon.registry.catalogue.attributes)
    expect(attributes).not.toHaveProperty('status')
  })
})

describe('resolve', () => {
  const v6 = (address: string) => ({ address, family: 'ipv6' as const, interface: 'eth0' })

  test.each([
    [['kitchen'], '192.168.1.20'],
    [['kitchen', '--service', 'http'], '192.168.1.20:8080'],
    [['kitchen', '-4', '--service', 'mqtt/tcp'], '192.168.1.20:1883'],
    [['kitchen', '-6'], 'fe80::1%eth0'],
    [['OSC', '--service', 'osc'], '192.168.1.44:9000'],
    [['OSC'], '192.168.1.44:9000'],
    [['Shop', '-6'], '[fe80::1%25eth0]:8080'],
    [['scanner.local'], '192.168.1.61'],
  ])('%j prints %s', async (args, expected) => {
    const { status, stdout, stderr } = await run('earshot', ['resolve', ...args], { env })
    expect([status, stdout, stderr]).toEqual([0, `${expected}\n`, ''])
  })

  test('puts IPv6 in brackets, and uses a link-local address only if there is no other', async () => {
    daemon.peers = [somePeer({ addresses: [v6('fe80::1%eth0'), v6('fd00::1')] })]
    expect((await run('earshot', ['resolve', 'kitchen', '--service', 'http'], { env })).stdout).toBe('[fd00::1]:8080\n')
    expect((await run('earshot', ['resolve', 'kitchen'], { env })).stdout).toBe('fd00::1\n')
    daemon.peers = [somePeer({ addresses: [v6('fe80::1%eth0')] })]
    const linkLocal = await run('earshot', ['resolve', 'kitchen', '--service', 'http'], { env })
    expect(linkLocal.stdout).toBe('[fe80::1%25eth0]:8080\n')
  })

  test.each([
    [['nobody'], /'nobody'/],
    [['kitchen', '--service', 'ipp'], /ipp/],
    [['studio', '-6'], /ipv6/],
    [['nobody.local'], /no mDNS host .* answered/],
  ])('%j is not found: exit status 1 and no output', async (args, message) => {
    const { status, stdout, stderr } = await run('earshot', ['resolve', ...args], { env })
    expect([status, stdout]).toEqual([1, ''])
    expect(stderr).toMatch(message)
    expect(stderr.split('\n')).toHaveLength(2)
  })

  test('refuses -4 together with -6', async () => {
    expect((await run('earshot', ['resolve', 'kitchen', '-4', '-6'], { env })).status).toBe(2)
  })
})

describe('wait', () => {
  test('asks for alive peers, and lists them', async () => {
    daemon.peers = [studio, somePeer(), somePeer({ id: 'second' }), somePeer({ id: 'third', state: 'suspect' })]
    const args = ['wait', '--service', 'http', '--name', 'kitchen', '--count', '2']
    const { status, stdout } = await run('earshot', args, { env })
    expect([status, stdout.split('\n').map((line) => line.split('\t')[0])]).toEqual([0, ['kitchen', 'kitchen', '']])
    expect(daemon.asked[0]).toMatch(/^\/v1\/peers\?service=http&name=kitchen&state=alive/)
  })

  test('exits with 4 on timeout, and with 130 on Ctrl-C', async () => {
    daemon.peers = [somePeer(), somePeer({ id: 'second' })]
    const late = await run('earshot', ['wait', '--count', '3', '--timeout', '0s'], { env })
    expect([late.status, late.stdout]).toEqual([4, ''])
    expect(late.stderr).toMatch(/^earshot: [^\n]*2 of 3[^\n]*\n$/)
    daemon.holdBack = true
    daemon.asked.length = 0
    const { child, ended } = start(['wait', '--count', '3'], { env })
    await expect.poll(() => daemon.asked.length).toBeGreaterThan(1)
    child.kill('SIGINT')
    expect(await ended).toBe(130)
    daemon.holdBack = false
  })
})

describe('ping', () => {
  beforeEach(() => {
    daemon.peers = [somePeer({ intervalMs: 100 })]
  })

  test('refuses an interval below the beacon interval of the peer', async () => {
    const { status, stderr } = await run('earshot', ['ping', 'kitchen', '-i', '99ms'], { env })
    expect([status, stderr]).toEqual([2, 'earshot: --interval: expected 100ms to 1h, found "99ms"\n'])
  })

  test('prints each round trip and a summary', async () => {
    daemon.probes = [0.42, undefined, 12.6]
    const { status, stdout } = await run('earshot', ['ping', 'kitchen', '-c', '3', '-i', '100ms'], { env })
    expect([status, stdout]).toEqual([
      0,
      'PING kitchen 192.168.1.20\n' +
        'kitchen: seq=1 time=0.42 ms\nno answer from kitchen: seq=2\nkitchen: seq=3 time=13 ms\n' +
        '\n--- kitchen: 3 sent, 2 answered, 33 % lost\nround trip min/avg/max = 0.42/6.51/12.60 ms\n',
    ])
    expect(daemon.changes[0]).toEqual(['POST', `/v1/probe/${somePeer().id}`])
  })

  test('--json prints one line for each probe and one for the summary', async () => {
    daemon.probes = [2, undefined]
    const { stdout } = await run('earshot', ['ping', 'kitchen', '-c', '2', '-i', '100ms', '--json'], { env })
    const peer = { id: somePeer().id, name: 'kitchen' }
    expect(
      stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toEqual([
      { seq: 1, peer, rttMs: 2 },
      { seq: 2, peer, code: 'EARSHOT_NO_ANSWER' },
      { peer, sent: 2, answered: 1, lossPercent: 50, min: 2, avg: 2, max: 2 },
    ])
  })

  test('exits with 1 if no answer came, or if there is no such peer', async () => {
    const silent = await run('earshot', ['ping', 'kitchen', '-c', '1'], { env })
    expect([silent.status, silent.stdout]).toEqual([1, expect.stringContaining('1 sent, 0 answered, 100 % lost\n')])
    expect((await run('earshot', ['ping', 'nobody', '-c', '1'], { env })).status).toBe(1)
  })

  test('prints the summary on Ctrl-C', async () => {
    daemon.probes = [1, 1]
    const { line, child, ended } = start(['ping', 'kitchen'], { env })
    await line()
    expect(await line()).toBe('kitchen: seq=1 time=1.00 ms')
    child.kill('SIGINT')
    expect([await line(), await line()]).toEqual(['', '--- kitchen: 1 sent, 1 answered, 0 % lost'])
    expect(await ended).toBe(0)
  })
})

test('completion prints a script for bash or zsh, which completes flags', async () => {
  const bash = await run('earshot', ['completion'], { env: { SHELL: '/bin/bash' } })
  expect(bash.stdout).toMatch(/complete .* earshot\n/)
  const zsh = await run('earshot', ['completion'], { env: { SHELL: '/bin/zsh' } })
  expect(zsh.stdout).toMatch(/^#compdef earshot\n/)
  const words = await run('earshot', ['--get-yargs-completions', 'earshot', 'ls', '--'], {
    env: { SHELL: '/bin/bash' },
  })
  expect(words.stdout.split('\n')).toEqual(expect.arrayContaining(['--service', '--live', '--json']))
})

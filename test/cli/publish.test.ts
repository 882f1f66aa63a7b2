import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Running, run, start, startOnTerminal } from './command.ts'
import { FakeDaemon } from './fake-daemon.ts'

let daemon: FakeDaemon
let running: Running | undefined
let env: Record<string, string>

beforeEach(async () => {
  daemon = new FakeDaemon()
  env = { EARSHOT_SOCKET: daemon.socket }
  await daemon.start()
})
afterEach(async () => {
  running?.child.kill('SIGKILL')
  await daemon.remove()
})

function begin(...args: string[]): Running {
  running = start(args, { env })
  return running
}

const SHOP = ['publish', 'Shop', 'http', '8080']
const FIRST = { name: 'Shop', type: 'http', port: 8080, ttl: '10000ms' }

/** The methods of the requests that change something, without renewals. */
function methods(): string[] {
  return daemon.changes.map(([method]) => method).filter((method, at, all) => method !== all[at - 1])
}

describe('publish', () => {
  test.each(['SIGINT', 'SIGTERM'] as const)('runs until %s, and then withdraws the service', async (signal) => {
    const { line, child, ended } = begin(...SHOP)
    expect(await line()).toMatch(/^published 'Shop' as shop-http-[0-9a-f]{8}; Ctrl-C withdraws it$/)
    expect(daemon.changes[0]).toEqual([
      'PUT',
      expect.stringMatching(/^\/v1\/services\/shop-http-/),
      { ...FIRST, txt: {}, subtypes: [] },
    ])
    child.kill(signal)
    expect(await ended).toBe(0)
    expect(methods()).toEqual(['PUT', 'DELETE'])
    expect(daemon.changes.at(-1)?.[1]).toBe(daemon.changes[0]?.[1])
    expect(await line('stderr')).toBeUndefined()
  })

  test('withdraws the service on Ctrl-C on a terminal', async () => {
    const { shows, type, ended } = startOnTerminal(80, SHOP, { env })
    await shows('Ctrl-C withdraws it')
    type('\x03')
    expect(await ended).toBe(0)
    expect(methods()).toEqual(['PUT', 'DELETE'])
  })

  test('takes the arguments of avahi-publish -s, and flags', async () => {
    const args = [
      'path=/a=b',
      'bare',
      'e=',
      '--subtype',
      '_printer',
      '--subtype',
      'x',
      '--id',
      'mix',
      '--ttl',
      '2s',
      '--json',
    ]
    const { line, child, ended } = begin('announce', 'My "Mixer" 🎛️', 'osc/udp', '9000', ...args)
    expect(JSON.parse((await line()) ?? '')).toMatchObject({ id: 'mix', source: 'api' })
    child.kill('SIGINT')
    await ended
    const txt = { path: '/a=b', bare: '', e: '' }
    const body = { name: 'My "Mixer" 🎛️', type: 'osc', protocol: 'udp', port: 9000, txt, subtypes: ['_printer', 'x'] }
    expect(daemon.changes[0]).toEqual(['PUT', '/v1/services/mix', { ...body, ttl: '2000ms' }])
  })

  test('exits with 1 and runs no command if the daemon refuses', async () => {
    daemon.refusal = { statusCode: 409, code: 'EARSHOT_SERVICE_TAKEN', error: 'Conflict', message: 'taken' }
    const { status, stdout, stderr } = await run('earshot', [...SHOP, '--', 'echo', 'ran'], { env })
    expect([status, stdout, stderr]).toEqual([1, '', 'earshot: taken\n'])
  })
})

describe('publish … -- CMD', () => {
  test.each([
    [['sh', '-c', 'exit 7'], 7],
    [['true'], 0],
    [['sh', '-c', 'kill -KILL $$'], 137],
    [['sh', '-c', 'echo "$1"; test "$1" = --id', '_', '--id'], 0],
  ])('exits with the status of %j', async (command, expected) => {
    const { status, stderr } = await run('earshot', [...SHOP, '--', ...command], { env })
    expect([status, stderr]).toEqual([expected, ''])
    expect(methods()).toEqual(['PUT', 'DELETE'])
  })

  test('reports a command that cannot be run, with the exit status of a shell', async () => {
    const missing = await run('earshot', [...SHOP, '--', 'no-such-command'], { env })
    expect([missing.status, missing.stderr]).toEqual([127, "earshot: cannot run 'no-such-command': not found\n"])
    const directory = mkdtempSync(join(tmpdir(), 'earshot-publish-'))
    writeFileSync(join(directory, 'text'), '')
    const { status, stderr } = await run('earshot', [...SHOP, '--', join(directory, 'text')], { env })
    rmSync(directory, { recursive: true })
    expect([status, stderr]).toEqual([126, expect.stringMatching(/^earshot: cannot run '.*text': .*EACCES\n$/)])
    expect(methods()).toEqual(['PUT', 'DELETE', 'PUT', 'DELETE'])
  })

  test.each([
    ['SIGTERM', 3],
    ['SIGINT', 4],
    ['SIGHUP', 5],
    ['SIGUSR1', 6],
  ] as const)('forwards %s, and withdraws the service when CMD has ended', async (signal, status) => {
    const script =
      "trap 'exit 3' TERM; trap 'exit 4' INT; trap 'exit 5' HUP; trap 'exit 6' USR1; echo up; while :; do sleep 0.05; done"
    const { line, child, ended } = begin(...SHOP, '--', 'sh', '-c', script)
    expect(await line()).toBe('up')
    child.kill(signal)
    expect(await ended).toBe(status)
    expect(methods()).toEqual(['PUT', 'DELETE'])
  })

  test('does not forward Ctrl-C, which CMD gets from the terminal', async () => {
    const script =
      'import signal,time\nn=0\ndef f(*_):\n  global n\n  n+=1\nsignal.signal(2,f)\nprint("up",flush=True)\n'
    const wait =
      'end=time.time()+1\nwhile time.time()<end and n<2: time.sleep(0.05)\nprint("interrupts:",n)\nraise SystemExit(9)'
    const { shows, type, ended } = startOnTerminal(80, [...SHOP, '--', 'python3', '-c', script + wait], { env })
    await shows('up')
    type('\x03')
    expect(await ended).toBe(9)
    expect(await shows('interrupts:')).toContain('interrupts: 1')
    expect(methods()).toEqual(['PUT', 'DELETE'])
  })

  test('passes the standard streams to CMD', async () => {
    const { line, child, ended } = begin(...SHOP, '--', 'cat')
    child.stdin?.end('through\n')
    expect(await line()).toBe('through')
    expect(await ended).toBe(0)
  })
})

test('publish --detach leaves the service published and prints its id; unpublish withdraws it', async () => {
  const { status, stdout } = await run('earshot', [...SHOP, '--detach', '--ttl', '1h'], { env })
  expect([status, stdout]).toEqual([0, expect.stringMatching(/^shop-http-[0-9a-f]{8}\n$/)])
  await run('earshot', [...SHOP, '--detach', '--id', 'for-ever'], { env })
  expect(daemon.changes).toEqual([
    ['PUT', `/v1/services/${stdout.trim()}`, { ...FIRST, ttl: '3600000ms', txt: {}, subtypes: [] }],
    ['PUT', '/v1/services/for-ever', { ...FIRST, ttl: undefined, txt: {}, subtypes: [] }],
  ])
  expect(await run('earshot', ['unpublish', 'for-ever'], { env })).toEqual({ status: 0, stdout: '', stderr: '' })
  expect(daemon.changes.at(-1)).toEqual(['DELETE', '/v1/services/for-ever'])
})

test('publish exits although the daemon is gone', async () => {
  const { line, child, ended } = begin(...SHOP)
  await line()
  await daemon.stop()
  child.kill('SIGTERM')
  expect(await ended).toBe(0)
})

import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { AlreadyRunning, HttpInUse, PortInUse } from '../../src/shared/errors.ts'
import { EARSHOTD } from '../installed.ts'
import { BEACON_PORT, type Daemon, describeLab, type Host, Lab, type Output } from '../lab/index.ts'
import { start } from './daemons.ts'

/** A host on a network. */
async function machine(lab: Lab): Promise<Host> {
  return lab.host('machine', [await lab.network('lan')])
}

/** Runs an earshotd that is expected to exit with an error. */
function failingStart(host: Host, flags: Record<string, string>): Promise<Output> {
  const own = { 'state-dir': join(host.dir, 'other'), socket: join(host.dir, 'other.sock'), http: 'off', ...flags }
  const args = Object.entries(own).flatMap(([flag, value]) => [`--${flag}`, value])
  return host.exec(process.execPath, [EARSHOTD, ...args], { timeout: 60_000 })
}

/** Expects exactly one line on stderr with this message, and an exit status other than 0. */
function expectRefusal({ code, stderr }: Output, message: string | RegExp): void {
  const lines = stderr.trimEnd().split('\n')
  expect(lines, stderr).toHaveLength(1)
  if (typeof message === 'string') expect(stderr).toBe(`earshotd: ${message}\n`)
  else expect(stderr).toMatch(message)
  expect(code).toBeGreaterThan(0)
}

async function expectHealthy(daemon: Daemon): Promise<void> {
  expect(daemon.process.running).toBe(true)
  expect(await daemon.get('/v1/self')).toMatchObject({ pid: daemon.pid })
  const warnings = daemon.log.filter(({ level }) => typeof level === 'number' && level >= 40)
  // A warning about too little CPU time is acceptable.
  expect(warnings.filter(({ msg }) => !String(msg).includes('every peer gets another lease'))).toEqual([])
}

function privateKey(file: string): string {
  return String((JSON.parse(readFileSync(file, 'utf8')) as { privateKey: string }).privateKey)
}

const mode = (path: string) => (statSync(path).mode & 0o777).toString(8)

describeLab('the start of a daemon', () => {
  it('fails if a daemon already runs, without effect on that one', async () => {
    await using lab = await Lab.create()
    const host = await machine(lab)
    const first = await start(host)
    const { socket } = first
    expectRefusal(await failingStart(host, { socket }), new AlreadyRunning(socket).message)
    await expectHealthy(first)
    // The same with the state directory of the first daemon, whose key must not change.
    const identity = join(first.dir, 'state', 'identity.json')
    const key = privateKey(identity)
    expectRefusal(
      await failingStart(host, { socket, 'state-dir': join(first.dir, 'state') }),
      new AlreadyRunning(socket).message,
    )
    await expectHealthy(first)
    expect(privateKey(identity)).toBe(key)
  })

  it('fails if another program uses the UDP port', async () => {
    await using lab = await Lab.create()
    const host = await machine(lab)
    const holder = await host.python(
      `import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("", ${BEACON_PORT})); print("bound"); input()`,
    )
    await holder.waitForLine(/^bound$/)
    const socket = join(host.dir, 'other.sock')
    const output = await failingStart(host, { socket })
    const [, address = ''] = / on (\S+): in use/.exec(output.stderr) ?? []
    expectRefusal(output, new PortInUse(BEACON_PORT, address).message)
    expect(existsSync(socket)).toBe(false)
    holder.closeInput()
    await holder.exited
    await using daemon = await start(host)
    await expectHealthy(daemon)
  })

  it('fails if another program uses the HTTP port, without effect on that one', async () => {
    await using lab = await Lab.create()
    const host = await machine(lab)
    const holder = await host.spawn(process.execPath, [
      '-e',
      `require('http').createServer((_, answer) => answer.end('mine')).listen(15353, '127.0.0.1', () => console.log('bound'))`,
    ])
    await holder.waitForLine(/^bound$/)
    const http = '127.0.0.1:15353'
    expectRefusal(await failingStart(host, { http }), new HttpInUse(http).message)
    expect(holder.running).toBe(true)
    expect(existsSync(join(host.dir, 'other.sock'))).toBe(false)
  })

  it('replaces the stale socket of a killed daemon', async () => {
    await using lab = await Lab.create()
    const host = await machine(lab)
    const daemon = await start(host)
    const { pid } = daemon
    await daemon.kill()
    expect(existsSync(daemon.socket)).toBe(true)
    await daemon.restart()
    expect(daemon.pid).not.toBe(pid)
    await expectHealthy(daemon)
  })

  it('fails at a file that is not a socket, and does not change it', async () => {
    await using lab = await Lab.create()
    const host = await machine(lab)
    const socket = join(host.dir, 'precious')
    writeFileSync(socket, 'mine')
    expectRefusal(
      await failingStart(host, { socket }),
      /cannot listen on the control socket .*precious: .*not a socket/,
    )
    expect(readFileSync(socket, 'utf8')).toBe('mine')
  })

  it('fails if it cannot use its state directory', async () => {
    await using lab = await Lab.create()
    const host = await machine(lab)
    const file = join(host.dir, 'file')
    writeFileSync(file, 'mine')
    expectRefusal(
      await failingStart(host, { 'state-dir': file }),
      /cannot use the state directory .*file: .*--state-dir/,
    )
    expectRefusal(
      await failingStart(host, { 'state-dir': join(file, 'below') }),
      /cannot use the state directory .*below: .*--state-dir/,
    )
    expectRefusal(
      await failingStart(host, { 'state-dir': '/proc/earshot' }),
      /cannot use the state directory \/proc\/earshot: .*--state-dir/,
    )
    const pipe = join(host.dir, 'earshot.toml')
    await host.exec('mkfifo', [pipe])
    expectRefusal(await failingStart(host, { config: pipe }), /cannot read .*earshot\.toml: it is not a regular file/)
    expect(readFileSync(file, 'utf8')).toBe('mine')
  })

  it('renames a damaged identity and damaged registrations, and continues', async () => {
    await using lab = await Lab.create()
    const host = await machine(lab)
    const daemon = await start(host)
    const state = join(daemon.dir, 'state')
    const identity = join(state, 'identity.json')
    const damaged = readFileSync(identity, 'utf8').replace(/(BEGIN PRIVATE KEY-----\\n)..../, '$1AAAA')
    const { id } = await daemon.self()
    await daemon.stop()
    writeFileSync(identity, damaged)
    await host.exec('mkfifo', [join(state, 'registered.json')])
    await daemon.restart()
    const again = await daemon.self()
    expect(again.id).not.toBe(id)
    expect(again.stateFault).toBeUndefined()
    expect(readFileSync(`${identity}.damaged-1`, 'utf8')).toBe(damaged)
    expect(statSync(join(state, 'registered.json.damaged-1')).isFIFO()).toBe(true)
    // Filters by file, because a daemon on a busy machine also warns about delays.
    const setAside = daemon.log.filter(({ level, file }) => level === 40 && file !== undefined).map(({ file }) => file)
    expect(setAside).toEqual([identity, join(state, 'registered.json')])
    expect((await daemon.call('PATCH', '/v1/self/attributes', { body: { room: 'attic' } })).status).toBe(200)
    await daemon.restart({ signal: 'SIGKILL' })
    expect(await daemon.self()).toMatchObject({ id: again.id, attributes: { room: 'attic' } })
  })

  it('with separate files succeeds twice on one machine, and both daemons see each other on loopback', async () => {
    await using lab = await Lab.create()
    const host = await lab.host('machine')
    const args = ['--interface', 'lo']
    const [one, two] = await Promise.all(['one', 'two'].map((name) => start(host, { name, args })))
    if (!one || !two) throw new Error('no daemons')
    await one.waitFor((peers) => peers.some(({ name, state }) => name === 'two' && state === 'alive'))
    await two.waitFor((peers) => peers.some(({ name, state }) => name === 'one' && state === 'alive'))
    using events = await one.events()
    await two.stop()
    await events.waitFor(({ event }) => event === 'peer-left')
    await expectHealthy(one)
  })

  it('keeps the peer id and raises the incarnation', async () => {
    await using lab = await Lab.create()
    const host = await machine(lab)
    const daemon = await start(host)
    const lives = [await daemon.self()]
    for (const signal of ['SIGTERM', 'SIGKILL', 'SIGTERM'] as const) {
      await daemon.restart({ signal })
      lives.push(await daemon.self())
    }
    expect(new Set(lives.map(({ id }) => id)).size).toBe(1)
    const incarnations = lives.map(({ incarnation }) => Number(incarnation))
    expect(incarnations).toEqual([...new Set(incarnations)].sort((a, b) => a - b))
  })

  it('creates the key file for the owner only, and the socket for owner and group', async () => {
    await using lab = await Lab.create()
    const host = await machine(lab)
    const daemon = await start(host)
    const state = join(daemon.dir, 'state')
    expect(mode(join(state, 'identity.json'))).toBe('600')
    expect(mode(daemon.socket)).toBe('660')
    // The same in directories that the daemon creates, with umask 0.
    const [dir, socket] = [join(host.dir, 'deep/state'), join(host.dir, 'deep/run/control.sock')]
    const command = `umask 0; exec "$0" "$@"`
    const flags = ['--state-dir', dir, '--socket', socket, '--http', 'off', '--log-format', 'json']
    const lax = await host.spawn('sh', ['-c', command, process.execPath, EARSHOTD, ...flags])
    await lax.waitForLine(/"msg":"ready"/, 30_000)
    expect(mode(join(dir, 'identity.json'))).toBe('600')
    expect(mode(dir)).toBe('700')
    expect(mode(socket)).toBe('660')
    expect(mode(join(host.dir, 'deep/run'))).toMatch(/^7[05]0|755$/)
    await lax.kill('SIGTERM')
  })

  it('succeeds again after SIGTERM with open event streams, which exits with 0 and removes the socket', async () => {
    await using lab = await Lab.create()
    const host = await machine(lab)
    const daemon = await start(host)
    using events = await daemon.events({ state: true })
    await events.waitFor(({ event }) => event === 'sync')
    const idle = request({ socketPath: daemon.socket, path: '/v1/events' })
    idle.on('error', () => {}).end()
    expect(await daemon.stop()).toEqual({ code: 0, signal: null })
    expect(existsSync(daemon.socket)).toBe(false)
    mkdirSync(daemon.dir, { recursive: true })
    await daemon.restart()
    await expectHealthy(daemon)
  })
})

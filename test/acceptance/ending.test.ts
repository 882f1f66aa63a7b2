import { spawnSync } from 'node:child_process'
import { closeSync, constants, existsSync, openSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, it, onTestFinished } from 'vitest'
import { EARSHOTD } from '../installed.ts'
import { type Daemon, describeLab, type Exit, type Host, Lab, type LabProcess } from '../lab/index.ts'
import { start } from './daemons.ts'

/** Limit for the shutdown, ms. The daemon has one second. The rest is for a busy machine. */
const MAX_SHUTDOWN_MS = 2000

const INCOMPLETE_REQUEST =
  'PUT /v1/services/shop HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{'

/** Runs a process in a pseudo-terminal. The line `stop` pauses its output (Ctrl-S), and `close` closes the terminal. */
const TERMINAL = `
import os, pty, sys
child, terminal = pty.fork()
if child == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
print(child)
for line in sys.stdin:
    if line == 'read\\n': os.read(terminal, 65536)
    if line == 'stop\\n': os.write(terminal, b'\\x13')
    if line == 'close\\n': os.close(terminal)
    if line == 'term\\n': os.kill(child, 15)
    if line != 'read\\n': print('done')
    if line in ('close\\n', 'term\\n'): print('ended', os.waitpid(child, 0)[1])
`

function flags(host: Host): string[] {
  const files = ['--state-dir', join(host.dir, 'state'), '--socket', join(host.dir, 'control.sock')]
  return [EARSHOTD, '--name', host.name, ...files, '--http', 'off']
}

/** Waits until `watcher` sees the peer in a state. */
async function waitForState(watcher: Daemon, name: string, state: string, timeoutMs = 20_000): Promise<void> {
  await watcher.waitFor(
    (peers) => peers.some((peer) => peer.name === name && peer.state === state),
    timeoutMs,
    'state=all',
  )
}

/** A named pipe that is full and has no reader. */
function fullPipe(directory: string): string {
  const path = join(directory, 'pipe')
  spawnSync('mkfifo', [path])
  const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK)
  onTestFinished(() => closeSync(fd))
  spawnSync('dd', ['if=/dev/zero', `of=${path}`, 'oflag=nonblock', 'bs=4096'])
  return path
}

async function inTerminal(host: Host): Promise<LabProcess> {
  const terminal = await host.spawn('python3', ['-u', '-c', TERMINAL, process.execPath, ...flags(host)])
  await terminal.waitForLine(/^\d+$/)
  return terminal
}

async function timed(action: () => Promise<unknown>): Promise<number> {
  const began = performance.now()
  await action()
  return performance.now() - began
}

describeLab('the shutdown of a daemon', () => {
  it('ends within one second after SIGTERM, in spite of pending requests, and sends a goodbye', async () => {
    await using lab = await Lab.create()
    const lan = await lab.network('lan')
    const [one, other] = [await lab.host('one', [lan]), await lab.host('other', [lan])]
    const [daemon, watcher] = await Promise.all([start(one), start(other)])
    await Promise.all([waitForState(watcher, 'one', 'alive'), waitForState(daemon, 'other', 'alive')])
    await watcher.freeze()
    const { epoch, index } = await daemon.get<{ epoch: string; index: number }>('/v1/peers')
    const waiting = [
      daemon.call('GET', '/v1/hosts/nobody.local?timeout=10s'),
      daemon.call('POST', '/v1/probe/other?timeout=10s'),
      daemon.call('GET', `/v1/peers?since=${epoch}-${index}&wait=60s`),
    ]
    await daemon.events()
    const incomplete = connect(daemon.socket).on('error', () => {})
    onTestFinished(() => void incomplete.destroy())
    incomplete.write(INCOMPLETE_REQUEST)
    await delay(300)
    let exit: Exit | undefined
    const took = await timed(async () => {
      exit = await daemon.stop()
    })
    expect(exit).toEqual({ code: 0, signal: null })
    expect(took).toBeLessThan(MAX_SHUTDOWN_MS)
    const answers = await Promise.all(waiting)
    expect(answers.map(({ status }) => status)).toEqual([503, 503, 200])
    expect(answers[0]?.body).toMatchObject({ code: 'EARSHOT_STOPPING' })
    expect(answers[1]?.body).toMatchObject({ code: 'EARSHOT_STOPPING' })
    watcher.thaw()
    await waitForState(watcher, 'one', 'left')
  })

  it('works during the start, too, and leaves no socket file', async () => {
    await using lab = await Lab.create()
    const host = await lab.host('machine')
    const attempt = async (after: number) => {
      const socket = join(host.dir, `${after}.sock`)
      const own = ['--interface', 'lo', '--port', String(20_000 + after), '--socket', socket, '--http', 'off']
      const args = [EARSHOTD, ...own, '--state-dir', join(host.dir, `state-${after}`)]
      const process_ = await host.spawn(process.execPath, args)
      await delay(after)
      const took = await timed(() => process_.kill('SIGTERM'))
      return { took, isLeft: existsSync(socket) }
    }
    for (const { took, isLeft } of await Promise.all([300, 700, 1100, 1500, 2000].map(attempt))) {
      expect(took).toBeLessThan(MAX_SHUTDOWN_MS)
      expect(isLeft).toBe(false)
    }
  })

  it('does not wait for blocked log output, and neither do beats and responses', async () => {
    await using lab = await Lab.create()
    const lan = await lab.network('lan')
    const names = ['watcher', 'full-disk', 'full-pipe', 'pretty', 'paused'] as const
    const hosts = await Promise.all(names.map((name) => lab.host(name, [lan])))
    const [watching, fullDisk, full, pretty, paused] = hosts
    if (!watching || !fullDisk || !full || !pretty || !paused) throw new Error('no hosts')
    const watcher = await start(watching)
    const to = (host: Host, path: string, format: string) =>
      host.spawn('sh', [
        '-c',
        'log=$1; shift; exec "$0" "$@" > "$log"',
        process.execPath,
        path,
        ...flags(host),
        '--log-format',
        format,
        '--log-level',
        'debug',
      ])
    const processes = [
      await to(fullDisk, '/dev/full', 'json'),
      await to(full, fullPipe(full.dir), 'json'),
      await to(pretty, fullPipe(pretty.dir), 'pretty'),
    ]
    const terminal = await inTerminal(paused)
    // A long timeout, because five processes start at once.
    for (const name of names.slice(1)) await waitForState(watcher, name, 'alive', 60_000)
    terminal.write('stop\n')
    await terminal.waitForLine(/^done$/)
    // The restart makes all of them log. Then there is enough time for a blocked daemon to fail.
    await watcher.restart()
    await delay(6000)
    for (const name of names.slice(1)) await waitForState(watcher, name, 'alive', 2000)
    using events = await watcher.events()
    const ends = processes.map((each) => timed(() => each.kill('SIGTERM')))
    terminal.write('term\n')
    ends.push(timed(() => terminal.waitForLine(/^ended 0$/)))
    for (const took of await Promise.all(ends)) expect(took).toBeLessThan(MAX_SHUTDOWN_MS)
    for (const name of names.slice(1)) await waitForState(watcher, name, 'left', 3000)
    expect(events.events.map(({ event }) => event)).not.toContain('peer-failed')
  })

  it('happens when the terminal closes, but not at SIGHUP without a terminal', async () => {
    await using lab = await Lab.create()
    const lan = await lab.network('lan')
    const [watching, shown, service] = await Promise.all(['w', 'shown', 'service'].map((name) => lab.host(name, [lan])))
    if (!watching || !shown || !service) throw new Error('no hosts')
    const watcher = await start(watching)
    const daemon = await start(service)
    const terminal = await inTerminal(shown)
    await waitForState(watcher, 'shown', 'alive')
    terminal.write('close\n')
    // The signal is SIGHUP.
    await terminal.waitForLine(/^ended 1$/)
    await waitForState(watcher, 'shown', 'left', 3000)
    daemon.process.signal('SIGHUP')
    await daemon.process.waitForLine(/ignoring SIGHUP/)
    expect(await daemon.self()).toMatchObject({ name: 'service' })
  })
})

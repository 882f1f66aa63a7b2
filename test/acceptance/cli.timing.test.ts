import { afterAll, beforeAll, expect, it } from 'vitest'
import { EARSHOT } from '../installed.ts'
import {
  type Daemon,
  describeLab,
  type EventStream,
  type Host,
  Lab,
  type LabProcess,
  type Network,
  type Output,
} from '../lab/index.ts'
import { start, waitUntilAllAlive } from './daemons.ts'

/** Time from the end of `publish` until the service is removed on another host, ms. */
const WITHDRAWN_MS = 200

/** Time from the daemon's event until the next line of a script, ms. Most of it is the end of a process. */
const NOTICED_MS = 500

/** Defines the command `earshot` in a shell script. */
const PRELUDE = `earshot() { '${process.execPath}' '${EARSHOT}' "$@"; }\n`

/** An HTTP server that is independent of earshot. */
const HTTP_SERVER = `
import http.server, socket
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'from the kitchen\\n')
    def log_message(self, *_):
        pass
class Server(http.server.HTTPServer):
    address_family = socket.AF_INET6
server = Server(('::', 8080), Answer)
print('listening')
server.serve_forever()
`

describeLab('the earshot command on several hosts', () => {
  let lab: Lab
  let kitchen: Host
  let desk: Host
  let net: Network
  let watcher: Daemon
  let events: EventStream

  beforeAll(async () => {
    lab = await Lab.create()
    net = await lab.network('lan')
    ;[kitchen, desk] = await Promise.all([lab.host('kitchen', [net]), lab.host('desk', [net])])
    const daemons = await Promise.all([start(desk), start(kitchen)])
    ;[watcher] = daemons
    await waitUntilAllAlive(daemons)
    events = await watcher.events()
    await events.waitFor(({ event }) => event === 'sync')
  })
  afterAll(async () => await lab?.close())

  /** Waits for an event about a service at the other host's daemon. Returns its wall-clock time, ms. */
  async function serviceEventTime(type: string, name: string): Promise<number> {
    const { data } = await events.waitFor(
      ({ event, data }) => event === type && (data as { service: { name: string } }).service.name === name,
    )
    return Date.parse((data as { at: string }).at)
  }

  function script(host: Host, text: string, timeout = 10_000): Promise<Output> {
    return host.exec('sh', ['-c', PRELUDE + text], { env: { EARSHOT_SOCKET: watcher.socket }, timeout })
  }

  async function publish(name: string, ...args: string[]): Promise<LabProcess> {
    const process = await kitchen.cliSpawn('publish', name, 'http', '8080', ...args)
    await serviceEventTime('service-up', name)
    return process
  }

  it.each(['SIGINT', 'SIGTERM'] as const)('a service is removed within 200 ms of %s', async (signal) => {
    const process = await publish(`until ${signal}`)
    const at = Date.now()
    process.signal(signal)
    const removedAfter = (await serviceEventTime('service-down', `until ${signal}`)) - at
    console.info(`removed ${removedAfter} ms after ${signal}`)
    expect(removedAfter).toBeLessThan(WITHDRAWN_MS)
    expect(await process.exited).toEqual({ code: 0, signal: null })
  })

  it('a service is removed within 200 ms of the end of its CMD, and publish exits with the status of CMD', async () => {
    const process = await publish('with a server', '--', 'sh', '-c', 'read _; date +%s%3N; exit 7')
    process.write('go\n')
    const removedAfter =
      (await serviceEventTime('service-down', 'with a server')) - Number(await process.waitForLine(/^\d{13}$/))
    console.info(`removed ${removedAfter} ms after the end of CMD`)
    expect(removedAfter).toBeLessThan(WITHDRAWN_MS)
    expect(await process.exited).toEqual({ code: 7, signal: null })
  })

  it('a detached service stays until it is unpublished', async () => {
    const { stdout, code } = await kitchen.cli('publish', 'Left behind', 'http', '8081', '--detach', '--ttl', '1h')
    expect(code).toBe(0)
    await serviceEventTime('service-up', 'Left behind')
    const id = stdout.trim()
    expect((await kitchen.cli('status')).stdout).toMatch(
      new RegExp(`^service\\t${id}\\tLeft behind\\t.*\\tapi\\t\\t\\d{4}-`, 'm'),
    )
    expect((await desk.cli('services', 'http')).stdout).toContain('Left behind')
    expect(await kitchen.cli('unpublish', id)).toMatchObject({ code: 0, stdout: '', stderr: '' })
    await serviceEventTime('service-down', 'Left behind')
    expect((await kitchen.cli('unpublish', id)).code).toBe(1)
  })

  it('curl reaches a server at the addresses that resolve prints, over IPv4 and IPv6', async () => {
    const server = await kitchen.python(HTTP_SERVER)
    await server.waitForLine(/listening/)
    await publish('Shop', 'path=/')
    for (const arguments_ of ['kitchen', 'kitchen -4', 'kitchen -6', 'Shop']) {
      const url = `http://$(earshot resolve ${arguments_} --service http)/`
      const answer = await script(desk, `curl --globoff --silent --show-error --noproxy '*' "${url}"`)
      expect(answer).toMatchObject({ stdout: 'from the kitchen\n', stderr: '', code: 0 })
    }
    expect(await desk.cli('resolve', 'nowhere')).toMatchObject({ code: 1, stdout: '' })
    expect(await desk.cli('resolve', 'kitchen', '--service', 'ipp')).toMatchObject({ code: 1, stdout: '' })
  })

  it('wait in a script returns as soon as the third peer is alive', async () => {
    const [hall, attic] = await lab.hosts(['hall', 'attic'], [net])
    if (!hall || !attic) throw new Error('no hosts')
    expect(await desk.cli('wait', '--count', '3', '--timeout', '200ms')).toMatchObject({ code: 4, stdout: '' })
    await start(hall)
    const waiting = script(desk, 'earshot wait --count 3 --timeout 20s && date +%s%3N', 30_000)
    await start(attic)
    const { data } = await events.waitFor(({ event, data }) => event === 'peer-up' && nameIn(data) === 'attic')
    const { stdout, code } = await waiting
    const lines = stdout.trim().split('\n')
    expect([code, ...lines.slice(0, 3).map((line) => line.split('\t')[0])]).toEqual([0, 'attic', 'hall', 'kitchen'])
    const noticed = Number(lines[3]) - Date.parse((data as { at: string }).at)
    console.info(`the script continued ${noticed} ms after the event of the third peer`)
    expect(noticed).toBeLessThan(NOTICED_MS)
  })

  it('set attributes are visible, ping gets answers, and watch --exec runs for each change', async () => {
    const watch = await desk.cliSpawn(
      'watch',
      '--exec',
      'echo "$EARSHOT_EVENT $EARSHOT_PEER_NAME $EARSHOT_ATTR_STATUS"',
    )
    // watch --exec does not run for the initial state, so the loop changes an attribute until watch has reported one.
    for (let at = 1; watch.stdout.length === 0; at++) await kitchen.cli('set', `status=${at}`)
    expect(await kitchen.cli('set', 'status=busy', 'temperature=21.5')).toMatchObject({ code: 0, stderr: '' })
    await watch.waitForLine(/^peer-update kitchen busy$/)
    expect((await desk.cli('ls', '--where', 'temperature=21.5', '--no-headers')).stdout).toMatch(/^kitchen\t/)
    expect(await kitchen.cli('unset', 'status')).toMatchObject({ code: 0 })
    await watch.waitForLine(/^peer-update kitchen $/)
    const { stdout, code } = await desk.cli('ping', 'kitchen', '-c', '3')
    expect([code, stdout]).toEqual([0, expect.stringMatching(/3 sent, 3 answered, 0 % lost\nround trip min\/avg\/max/)])
    await kitchen.cut()
    expect((await desk.cli('ping', 'kitchen', '-c', '1')).code).toBe(1)
    await kitchen.clearRules()
  })

  it('exits with 3 if no daemon runs', async () => {
    const [bare] = await lab.hosts(['bare'], [net])
    for (const args of [['publish', 'x', 'http', '1'], ['set', 'a=b'], ['resolve', 'x'], ['wait'], ['ping', 'x']]) {
      expect((await bare?.cli(...args))?.code, args.join(' ')).toBe(3)
    }
  })
})

function nameIn(data: unknown): string {
  return (data as { peer: { name: string } }).peer.name
}

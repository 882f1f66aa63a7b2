import { execFile } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import Bonjour from 'bonjour-service'
import { expect, vi } from 'vitest'
import { LibrarySegment, twoInterfaces } from './library-segment.ts'
import { weakness } from './weakness.ts'

const ROOT = fileURLToPath(new URL('../../../..', import.meta.url))

/** Whether a Bonjour instance on `lo` receives another one there. */
async function hears(options: Record<string, unknown>): Promise<boolean> {
  const common = { interface: '127.0.0.1', port: randomInt(20_000, 60_000) }
  const [listener, speaker] = [options, { bind: '0.0.0.0' }].map((own) => new Bonjour({ ...common, ...own } as object))
  try {
    const found = vi.fn()
    listener?.find({ type: 'http' }, found)
    await new Promise((resolve) => setTimeout(resolve, 100))
    speaker?.publish({ name: 'Office', type: 'http', port: 80, probe: false })
    await new Promise((resolve) => setTimeout(resolve, 300))
    return found.mock.calls.length > 0
  } finally {
    await Promise.all([listener, speaker].map((one) => new Promise<void>((resolve) => one?.destroy(resolve))))
  }
}

if (process.platform === 'linux') {
  weakness('multicast-dns', 'receives no multicast with the option `interface` alone', 'src/io/net', async () => {
    expect(await hears({})).toBe(false)
    expect(await hears({ bind: '0.0.0.0' })).toBe(true)
  })
}

weakness(
  'multicast-dns',
  'does not rejoin the group on an interface that returns with its address',
  'src/io/net',
  async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    twoInterfaces()
    const { bonjour, socket } = new LibrarySegment().host({ multicast: true })
    Object.assign(socket, {
      setMulticastTTL() {},
      setMulticastLoopback() {},
      setMulticastInterface() {},
      dropMembership() {},
    })
    socket.emit('listening')
    const joined = ['192.0.2.1', '198.51.100.1']
    expect(socket.memberships).toEqual(joined)
    vi.spyOn(await import('node:os').then(({ default: os }) => os), 'networkInterfaces').mockReturnValue({})
    await vi.advanceTimersByTimeAsync(60_000)
    twoInterfaces()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(socket.memberships).toEqual(joined)
    bonjour.destroy()
    vi.restoreAllMocks()
    vi.useRealTimers()
  },
)

weakness(
  'multicast-dns',
  'encodes in a later turn, where errors cannot be caught',
  'isEncodable() of packet-conversion.ts',
  async () => {
    const script = `
    import Bonjour from 'bonjour-service'
    import { EventEmitter } from 'node:events'
    const socket = Object.assign(new EventEmitter(), { send() {}, close() {} })
    const { mdns } = new Bonjour({ socket, bind: false, multicast: false }, () => {}).server
    mdns.on('error', () => {})
    try {
      mdns.respond([{ name: 'a.local', type: 'SRV', data: { port: 70000, target: 'b.local' } }], () => {})
      console.log('came back')
    } catch {
      console.log('caught')
    }
  `
    const running = promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], { cwd: ROOT })
    const failure = { code: 1, stdout: 'came back\n', stderr: expect.stringContaining('ERR_OUT_OF_RANGE') }
    await expect(running).rejects.toMatchObject(failure)
  },
)

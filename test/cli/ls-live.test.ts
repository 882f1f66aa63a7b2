import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { runOnTerminal, startOnTerminal } from './command.ts'
import { FakeDaemon } from './fake-daemon.ts'
import { NASTY_NAME, somePeer, studio } from './some-peers.ts'

const daemon = new FakeDaemon()
const env = { EARSHOT_SOCKET: daemon.socket }

beforeAll(async () => await daemon.start())
afterAll(async () => await daemon.remove())
beforeEach(() => {
  daemon.peers = [studio, somePeer()]
})

test('ls --live refreshes the table on the alternate screen, and restores the terminal', async () => {
  const { shows, type, ended } = startOnTerminal(100, ['ls', '--live'], { env: { ...env, NO_COLOR: '1' } })
  expect(await shows('2 peers, 1 alive')).toContain('\x1b[?1049h\x1b[?25l\x1b[HNAME')
  daemon.peers = [
    somePeer({ name: NASTY_NAME }),
    ...Array.from({ length: 40 }, (_, at) => somePeer({ id: `p${at}`, name: `p${at}` })),
  ]
  const text = await shows('41 peers, 41 alive')
  const last = text.split('\x1b[H').at(-1) ?? ''
  expect(last.split('\r\n')).toHaveLength(24)
  expect(last).toContain('… and 20 more')
  expect(
    last
      .replaceAll('\x1b[K', '')
      .replaceAll('\x1b[J', '')
      .replace(/[\r\n]/g, ''),
  ).not.toMatch(/[\p{Cc}\p{Bidi_Control}]/u)
  type('\x03')
  expect(await ended).toBe(0)
  expect((await shows('\x1b[?1049l')).endsWith('\x1b[?25h\x1b[?1049l')).toBe(true)
})

test('ls --live shows an error while the daemon is away, and continues when it is back', async () => {
  const { shows, type, ended } = startOnTerminal(200, ['ls', '--live'], { env: { ...env, NO_COLOR: '1' } })
  await shows('2 peers')
  await daemon.stop()
  expect(await shows('no earshot daemon answers')).toContain('kitchen')
  await daemon.start()
  await shows('2 peers', 2)
  type('\x03')
  await ended
})

test('ls --live does not switch the screen if there is no daemon', async () => {
  const { stdout, status } = await runOnTerminal(100, ['ls', '--live', '--socket', '/nonexistent/socket'])
  expect([status, stdout.includes('\x1b[?1049h')]).toEqual([3, false])
})

import { resolve } from 'node:path'
import { expect, it } from 'vitest'
import { describeLab, Lab } from '../lab/index.ts'

const BEACON = resolve('docs/examples/beacon.py')

describeLab('the Python implementation', () => {
  it('and the daemon see how the other starts and leaves', async () => {
    await using lab = await Lab.create()
    const [here, there] = await lab.hosts(['here', 'there'], [await lab.network('lan')])
    if (!here || !there) throw new Error('no hosts')
    const daemon = await here.daemon({ name: 'daemon' })
    const beacon = await there.spawn('python3', ['-u', BEACON, 'announce', 'python', '--service', '_http._tcp:8080'])
    await beacon.waitForLine(/\tdaemon\t.*alive/)
    const [seen] = await daemon.waitFor((peers) => peers.some(({ name }) => name === 'python'))
    expect(seen).toMatchObject({
      name: 'python',
      state: 'alive',
      services: [{ type: '_http._tcp', port: 8080 }],
    })
    await daemon.waitFor(([peer]) => {
      const heard = peer?.paths.map(({ path }) => path) ?? []
      return (['broadcast', 'multicast4', 'multicast6'] as const).every((path) => heard.includes(path))
    })

    await daemon.stop()
    await beacon.waitForLine(/\tdaemon\t.*left/)
    const before = beacon.lines.items.length
    await daemon.restart()
    await beacon.waitForLine(/\tdaemon\t.*alive/, 15_000, before)
    await daemon.waitFor((peers) => peers.some(({ name, state }) => name === 'python' && state === 'alive'))
    await beacon.kill('SIGTERM')
    await daemon.waitFor(
      (peers) => peers.some(({ name, state }) => name === 'python' && state === 'left'),
      2000,
      'state=all',
    )
  })

  it('and the daemon see how the other fails when it is killed', async () => {
    await using lab = await Lab.create()
    const [here, there] = await lab.hosts(['here', 'there'], [await lab.network('lan')])
    if (!here || !there) throw new Error('no hosts')
    const daemon = await here.daemon({ name: 'daemon' })
    const beacon = await there.spawn('python3', ['-u', BEACON, 'announce', 'doomed'])
    await daemon.waitFor((peers) => peers.some(({ name, state }) => name === 'doomed' && state === 'alive'))
    await beacon.kill('SIGKILL')
    await daemon.waitFor((peers) => peers.some(({ state }) => state === 'failed'), 20_000, 'state=all')
    const listener = await there.spawn('python3', ['-u', BEACON, 'listen'])
    await listener.waitForLine(/\tdaemon\t.*alive/)
    await daemon.kill()
    await listener.waitForLine(/\tdaemon\t.*(suspect|failed|gone|silent)/, 20_000)
  })
})

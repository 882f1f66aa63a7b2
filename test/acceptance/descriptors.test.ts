import { execFileSync } from 'node:child_process'
import { readdirSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { describeLab, Lab } from '../lab/index.ts'
import { acquainted, history, pathsOf, seen, start, told } from './measure.ts'

describeLab('a daemon that runs out of file descriptors', () => {
  it('keeps what works, ends by nothing, and makes its sockets as soon as there is room', async () => {
    await using lab = await Lab.create()
    const [lan, other] = [await lab.network('lan'), await lab.network('other')]
    const [a, b] = [await lab.host('a', [lan, other]), await lab.host('b', [lan])]
    const files = join(a.dir, 'services.d')
    await a.exec('mkdir', [files])
    writeFileSync(join(files, 'shop.toml'), 'type = "http"\nport = 80\n')
    const [atA, atB] = [await start(a, { args: ['--services-dir', files] }), await start(b)]
    await acquainted([atA, atB], 30_000)
    using fromB = await history(atB)

    const descriptors = readdirSync(`/proc/${atA.pid}/fd`).map(Number)
    const limit = (most: number) => execFileSync('prlimit', ['--pid', String(atA.pid), `--nofile=${most}:`])
    limit(Math.max(...descriptors) + 1)
    // Whatever is still free is taken by connections.
    const held: Socket[] = []
    const take = () => {
      for (let i = 0; i < 30; i++) held.push(connect(atA.socket).on('error', () => {}))
    }
    take()
    await sleep(2500)
    expect(told(fromB, 'peer-failed')).toEqual([])
    const [peer] = await atB.peers()
    expect(peer?.services.map(({ type }) => type)).toEqual(['_http._tcp'])

    // An interface that goes gives its descriptors to others, and finds few or none when it returns.
    await a.linkDown('eth0')
    await sleep(1000)
    take()
    await a.linkUp('eth0')
    await sleep(2500)
    expect(atA.process.running).toBe(true)

    limit(1024)
    for (const socket of held) socket.destroy()
    const liftedAt = Date.now()
    await seen(atB, 'a', (found) => found.state === 'alive' && pathsOf(found, liftedAt).length === 3)
    expect(atA.process.running).toBe(true)
    // What it offers goes with it, when it fails, and never alone.
    const servicesDown = fromB.events.filter(({ event }) => event === 'service-down')
    expect(servicesDown).toHaveLength(told(fromB, 'peer-failed').length)
  }, 120_000)
})

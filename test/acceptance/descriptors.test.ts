import { execFileSync } from 'node:child_process'
import { readdirSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { describeLab, Lab } from '../lab/index.ts'
import { openAllEvents, pathsOf, peersWithEvent, start, waitForPeer, waitUntilAllAlive } from './daemons.ts'

describeLab('a daemon that runs out of file descriptors', () => {
  it('keeps its open sockets, does not exit, and opens missing sockets as soon as descriptors are free', async () => {
    await using lab = await Lab.create()
    const [lan, other] = [await lab.network('lan'), await lab.network('other')]
    const [a, b] = [await lab.host('a', [lan, other]), await lab.host('b', [lan])]
    const files = join(a.dir, 'services.d')
    await a.exec('mkdir', [files])
    writeFileSync(join(files, 'shop.toml'), 'type = "http"\nport = 80\n')
    const [atA, atB] = [await start(a, { args: ['--services-dir', files] }), await start(b)]
    await waitUntilAllAlive([atA, atB], 30_000)
    using fromB = await openAllEvents(atB)

    const descriptors = readdirSync(`/proc/${atA.pid}/fd`).map(Number)
    const limit = (max: number) => execFileSync('prlimit', ['--pid', String(atA.pid), `--nofile=${max}:`])
    limit(Math.max(...descriptors) + 1)
    // Connections use up all free descriptors.
    const held: Socket[] = []
    const take = () => {
      for (let i = 0; i < 30; i++) held.push(connect(atA.socket).on('error', () => {}))
    }
    take()
    await sleep(2500)
    expect(peersWithEvent(fromB, 'peer-failed')).toEqual([])
    const [peer] = await atB.peers()
    expect(peer?.services.map(({ type }) => type)).toEqual(['_http._tcp'])

    // Connections take the descriptors of an interface that goes down, so few or none are free when it returns.
    await a.linkDown('eth0')
    await sleep(1000)
    take()
    await a.linkUp('eth0')
    await sleep(2500)
    expect(atA.process.running).toBe(true)

    limit(1024)
    for (const socket of held) socket.destroy()
    const liftedAt = Date.now()
    await waitForPeer(atB, 'a', (found) => found.state === 'alive' && pathsOf(found, liftedAt).length === 3)
    expect(atA.process.running).toBe(true)
    // A service is removed only together with its peer.
    const servicesDown = fromB.events.filter(({ event }) => event === 'service-down')
    expect(servicesDown).toHaveLength(peersWithEvent(fromB, 'peer-failed').length)
  })
})

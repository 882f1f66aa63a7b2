import { expect, it } from 'vitest'
import { collectGarbage } from '../../../garbage.ts'
import { a, goodbye, ptr, Stage, service } from './stage.ts'

/**
 * Connects to another network: devices appear, are queried, lose their addresses, send goodbyes or fail. Then the
 * network is gone.
 */
function live(stage: Stage, network: number): void {
  const on = `veth${network}`
  const address = { address: '10.2.0.1', family: 'ipv4' as const }
  const unused = { name: `docker${network}`, addresses: [address], paths: [] }
  stage.finder.setInterfaces([{ name: on, addresses: [address], paths: ['multicast4'] }, unused], stage.now)
  for (let i = 0; i < 20; i++) {
    const [host, source] = [`host${i}-${network}.local`, `10.2.${network % 8}.${i}`]
    const records = [
      ...service(`Service ${i} ${network}`, host, source, `_t${i}n${network}._tcp`),
      ...service(`Other ${i}`, host, source),
    ]
    stage.receive(records, { interface: on, address: source })
    if (i % 4 === 0) stage.receive(goodbye(records), { interface: on, address: source })
    if (i % 4 === 1) stage.receive(goodbye([a(host, source)]), { interface: on, address: source })
    if (i % 4 === 2) stage.receive([ptr(`Lonely ${i}`)], { interface: on, address: source })
    stage.finder.queryHost(`wanted${i}-${network}.local`, stage.now)
  }
  stage.run(network % 2 ? 20_000 : 130_000)
  stage.finder.setInterfaces([], stage.now)
  stage.run(6000)
  stage.reports.length = 0
  stage.sent.length = 0
}

it('networks that are gone leave no tasks and no memory behind', async () => {
  const stage = new Stage(['*', '_ipp._tcp'], [])
  // Budgets of 160 source addresses remain, and the `TimerWheel` slots of two hours.
  for (let network = 0; network < 60; network++) live(stage, network)
  const before = await collectGarbage()
  for (let network = 60; network < 100; network++) live(stage, network)
  expect((await collectGarbage()) - before).toBeLessThan(300_000)
  expect(stage.finder.limits).toMatchObject({ hosts: { now: 0 }, services: { now: 0 }, txtBytes: { now: 0 } })
  expect(stage.finder.browsing).toEqual(['_earshot._udp', '_ipp._tcp'])
  stage.run(24 * 3_600_000)
  expect(stage.agenda.next).toBeUndefined()
})

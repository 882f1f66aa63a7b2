import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { MAX_DATAGRAM_BYTES } from '../../src/core/wire/messages.ts'
import { type Daemon, describeLab, type Host, Lab, type Network } from '../lab/index.ts'
import { names, start } from './measure.ts'

const EARSHOTD = fileURLToPath(new URL('../../bin/earshotd.js', import.meta.url))

interface Content {
  attributes: Record<string, string>
  services: { id: string; name: string; type: string; port: number; txt: Record<string, string> }[]
}

/** What makes a record of about so many bytes: attributes of a kilobyte each, and one service that has text as well. */
function content(bytes: number): Content {
  const text = (length: number, key: number) => `${key} «ü» "\\" `.padEnd(length, 'abcdefghij')
  const count = Math.floor(bytes / 1000)
  const attributes = Object.fromEntries(
    Array.from({ length: count - 1 }, (_, key) => [`attribute-${key}`, text(960, key)]),
  )
  const mottos = Array.from({ length: 4 }, (_, key) => [`motto-${key}`, text(200, key)])
  const txt = { path: '/', ...Object.fromEntries(mottos) }
  return { attributes, services: [{ id: 'shop', name: 'Shop', type: '_http._tcp', port: 8080, txt }] }
}

/** The config file that says so. JSON's strings are TOML's too. */
function configFile(host: Host, { attributes, services }: Content): string {
  const lines = (table: Record<string, string>) =>
    Object.entries(table).map(([key, value]) => `${key} = ${JSON.stringify(value)}`)
  const file = join(host.dir, 'earshot.toml')
  const text = ['[attributes]', ...lines(attributes)]
  for (const { txt, port, ...rest } of services) {
    text.push('[[services]]', ...lines(rest), `port = ${port}`, '[services.txt]', ...lines(txt))
  }
  writeFileSync(file, `${text.join('\n')}\n`)
  return file
}

/** Waits until a daemon has the whole record of `teller`, every character of it. */
async function learnt(daemon: Daemon, teller: string, { attributes, services }: Content): Promise<void> {
  await daemon.waitFor((peers) => peers.some(({ name }) => name === teller), 20_000)
  const peer = await daemon.get(`/v1/peers/${teller}`)
  expect(peer).toMatchObject({ attributes, services: services.map((service) => ({ ...service, subtypes: [] })) })
}

/** Five hosts, of which the first tells much and the others come to know it. Returns how long that took, ms. */
async function spread(lan: Network, hosts: Host[], told: Content): Promise<number> {
  await using tap = await lan.sniff()
  const [teller, ...others] = hosts
  if (!teller) throw new Error('no host')
  const listeners = await Promise.all(others.map((host) => start(host)))
  const args = ['--config', configFile(teller, told)]
  const began = performance.now()
  await start(teller, { args })
  await Promise.all(listeners.map((listener) => learnt(listener, teller.name, told)))
  const took = performance.now() - began

  const bytes = tap.datagrams.map(({ hex }) => hex.length / 2)
  // It did go in parts, and none of them was too large.
  expect(bytes.filter((length) => length === MAX_DATAGRAM_BYTES).length).toBeGreaterThanOrEqual(10)
  expect(Math.max(...bytes)).toBeLessThanOrEqual(MAX_DATAGRAM_BYTES)
  expect(tap.datagrams.filter(({ fragmented }) => fragmented)).toEqual([])
  return took
}

describeLab('a record of 12 KiB', () => {
  it('reaches four others whole, in datagrams of 1,200 bytes at most', async () => {
    await using lab = await Lab.create()
    const lan = await lab.network('lan')
    const hosts = await lab.hosts(names(5), [lan])
    console.info(`known to all after ${Math.round(await spread(lan, hosts, content(12 * 1024)))} ms`)
  }, 60_000)

  it('reaches them whole where 30 % of all datagrams are lost', async () => {
    await using lab = await Lab.create()
    const lan = await lab.network('lan')
    const hosts = await lab.hosts(names(5), [lan])
    await Promise.all(hosts.map((host) => host.drop(30, { direction: 'in' })))
    console.info(`known to all after ${Math.round(await spread(lan, hosts, content(12 * 1024)))} ms, 30 % lost`)
  }, 60_000)

  it('is refused at the start when it has more than 16 KiB', async () => {
    await using lab = await Lab.create()
    const lan = await lab.network('lan')
    const host = await lab.host('a', [lan])
    await using tap = await lan.sniff()
    const places = ['--state-dir', join(host.dir, 'state'), '--socket', join(host.dir, 'control.sock'), '--http', 'off']
    const args = ['--config', configFile(host, content(17 * 1024)), ...places]
    const { code, stderr } = await host.exec(process.execPath, [EARSHOTD, ...args])
    expect(stderr).toMatch(
      /^earshotd: cannot publish the services and attributes: the record has \d+ bytes, and the limit is 16384\n$/,
    )
    expect(code).toBeGreaterThan(0)
    expect(tap.datagrams).toEqual([])
  }, 60_000)
})

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { MAX_DATAGRAM_BYTES } from '../../src/core/wire/messages.ts'
import { EARSHOTD } from '../installed.ts'
import { type Daemon, describeLab, type Host, Lab, type Network } from '../lab/index.ts'
import { hostNames, start } from './daemons.ts'

interface Content {
  attributes: Record<string, string>
  services: { id: string; name: string; type: string; port: number; txt: Record<string, string> }[]
}

/** The content of a record of about `bytes` bytes: attributes of one kilobyte each, and a service with a TXT record. */
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

/** Writes the content as a config file. JSON strings are valid in TOML. */
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

/** Waits until a daemon has the complete record of `sender`. */
async function waitForRecord(daemon: Daemon, sender: string, { attributes, services }: Content): Promise<void> {
  await daemon.waitFor((peers) => peers.some(({ name }) => name === sender), 20_000)
  const peer = await daemon.get(`/v1/peers/${sender}`)
  expect(peer).toMatchObject({ attributes, services: services.map((service) => ({ ...service, subtypes: [] })) })
}

/** The first host sends a large record, and the others receive it. Returns the time that this takes, ms. */
async function distribute(lan: Network, hosts: Host[], sent: Content): Promise<number> {
  await using tap = await lan.sniff()
  const [sender, ...others] = hosts
  if (!sender) throw new Error('no host')
  const listeners = await Promise.all(others.map((host) => start(host)))
  const args = ['--config', configFile(sender, sent)]
  const began = performance.now()
  await start(sender, { args })
  await Promise.all(listeners.map((listener) => waitForRecord(listener, sender.name, sent)))
  const took = performance.now() - began

  const bytes = tap.datagrams.map(({ hex }) => hex.length / 2)
  // The record was split into parts, and no part is too large.
  expect(bytes.filter((length) => length === MAX_DATAGRAM_BYTES).length).toBeGreaterThanOrEqual(10)
  expect(Math.max(...bytes)).toBeLessThanOrEqual(MAX_DATAGRAM_BYTES)
  expect(tap.datagrams.filter(({ fragmented }) => fragmented)).toEqual([])
  return took
}

describeLab('a record of 12 KiB', () => {
  it('reaches four other peers completely, in datagrams of at most 1,200 bytes', async () => {
    await using lab = await Lab.create()
    const lan = await lab.network('lan')
    const hosts = await lab.hosts(hostNames(5), [lan])
    console.info(`received by all after ${Math.round(await distribute(lan, hosts, content(12 * 1024)))} ms`)
  })

  it('reaches them completely with 30 % packet loss', async () => {
    await using lab = await Lab.create()
    const lan = await lab.network('lan')
    const hosts = await lab.hosts(hostNames(5), [lan])
    await Promise.all(hosts.map((host) => host.drop(30, { direction: 'in' })))
    console.info(`received by all after ${Math.round(await distribute(lan, hosts, content(12 * 1024)))} ms, 30 % lost`)
  })

  it('makes the daemon exit at the start if it has more than 16 KiB', async () => {
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
  })
})

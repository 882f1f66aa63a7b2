import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { Service } from '../../../src/client/index.ts'
import { type Daemon, describeLab, Lab } from '../../lab/index.ts'

/** Other hosts must see a changed file within this time, ms. */
const SOON = 2000

/** The services that a daemon sees of a peer, as `id type:port`. */
async function offered(daemon: Daemon, name: string): Promise<string[]> {
  const peers = await daemon.peers()
  const services = (peers.find((peer) => peer.name === name)?.['services'] ?? []) as Service[]
  return services.map(({ id, type, port }) => `${id} ${type}:${port}`).sort()
}

/** Waits until `watcher` sees exactly these; returns how long that took, ms. */
async function sees(watcher: Daemon, name: string, wanted: string[], timeoutMs = SOON): Promise<number> {
  const start = performance.now()
  let seen: string[] = []
  do {
    seen = await offered(watcher, name)
    if (JSON.stringify(seen) === JSON.stringify(wanted)) return performance.now() - start
  } while (performance.now() - start < timeoutMs)
  expect(seen).toEqual(wanted)
  return Number.NaN
}

const AVAHI = `<?xml version="1.0" standalone='no'?><!--*-nxml-*-->
<!DOCTYPE service-group SYSTEM "avahi-service.dtd">
<service-group>
  <name replace-wildcards="yes">%h</name>
  <service><type>_smb._tcp</type><port>445</port></service>
  <service><type>_device-info._tcp</type><port>0</port><txt-record>model=RackMac</txt-record></service>
</service-group>
`

describeLab('service files', () => {
  it('another host sees within 2 s that they are added, changed, broken, repaired and removed', async () => {
    await using lab = await Lab.create()
    const lan = await lab.network('lan')
    const [a, b] = await Promise.all([lab.host('a', [lan]), lab.host('b', [lan])])
    const directory = join(a.dir, 'services.d')
    const config = join(a.dir, 'earshot.toml')
    writeFileSync(config, '[[services]]\nname = "Fixed"\ntype = "ssh"\nport = 22\n')
    const args = ['--services-dir', directory, '--config', config]
    const [owner, watcher] = await Promise.all([a.daemon({ args }), b.daemon()])
    const fixed = 'fixed _ssh._tcp:22'
    await sees(watcher, 'a', [fixed], 10_000)

    const shop = join(directory, 'shop.toml')
    const smb = join(directory, 'smb.service')
    const samba = ['smb.device-info-tcp _device-info._tcp:0', 'smb.smb-tcp _smb._tcp:445']
    const steps: [string, () => void, string[]][] = [
      ['directory made', () => mkdirSync(directory), [fixed]],
      ['added', () => writeFileSync(shop, 'type = "http"\nport = 80\n'), [fixed, 'shop _http._tcp:80']],
      ['changed', () => writeFileSync(shop, 'type = "http"\nport = 81\n'), [fixed, 'shop _http._tcp:81']],
      ["Avahi's added", () => writeFileSync(smb, AVAHI), [fixed, 'shop _http._tcp:81', ...samba]],
      ['broken', () => writeFileSync(shop, 'type = "http"\nport = "eighty"\n'), [fixed, ...samba]],
      ['mended', () => writeFileSync(shop, 'type = "http"\nport = 82\n'), [fixed, 'shop _http._tcp:82', ...samba]],
      [
        "Avahi's broken",
        () => writeFileSync(smb, AVAHI.replace('</service-group>', '')),
        [fixed, 'shop _http._tcp:82'],
      ],
      ['removed', () => rmSync(shop), [fixed]],
      ['all removed', () => rmSync(directory, { recursive: true }), [fixed]],
    ]
    const took: string[] = []
    for (const [what, action, wanted] of steps) {
      action()
      took.push(`${what} ${Math.round(await sees(watcher, 'a', wanted))} ms`)
      if (what === 'broken') {
        const error = 'port: expected a port from 0 to 65535, found "eighty"'
        expect((await owner.self())['badFiles']).toEqual([{ file: shop, error }])
      }
    }
    console.info(`seen by another host after: ${took.join(', ')}`)
    await expect.poll(async () => (await owner.self())['badFiles'], { timeout: SOON }).toEqual([])
    const reasons = owner.log.filter(({ msg }) => msg === 'cannot use service file').map(({ file }) => file)
    expect(reasons).toEqual([shop, smb])
  })
})

describeLab('services and attributes registered over the API', () => {
  it('are restored after SIGTERM and after kill -9, except services with a ttl', async () => {
    await using lab = await Lab.create()
    const lan = await lab.network('lan')
    const [a, b] = await Promise.all([lab.host('a', [lan]), lab.host('b', [lan])])
    const [owner, watcher] = await Promise.all([a.daemon(), b.daemon()])
    const put = async (id: string, port: number, ttl?: string) => {
      const body = { type: 'http', port, ...(ttl !== undefined && { ttl }) }
      expect((await owner.call('PUT', `/v1/services/${id}`, { body })).status).toBe(201)
    }
    await put('shop', 80)
    await put('lent', 81, '1h')
    await owner.call('PATCH', '/v1/self/attributes', { body: { status: 'idle' } })
    await sees(watcher, 'a', ['lent _http._tcp:81', 'shop _http._tcp:80'], 10_000)
    await owner.restart()
    await sees(watcher, 'a', ['shop _http._tcp:80'], 10_000)
    expect((await owner.self())['attributes']).toEqual({ status: 'idle' })

    await put('late', 82)
    const stored = () => readFileSync(join(owner.dir, 'state/registered.json'), 'utf8')
    await expect.poll(stored, { timeout: 1000 }).toContain('late')
    await owner.restart({ signal: 'SIGKILL' })
    const { incarnation } = await owner.self()
    await watcher.waitFor((peers) => peers.some((peer) => peer['incarnation'] === incarnation))
    await sees(watcher, 'a', ['late _http._tcp:82', 'shop _http._tcp:80'])
  })
})

import { expect, it } from 'vitest'
import { describeLab, describeMdnsLab, Lab } from '../lab/index.ts'

describeLab('ls without a daemon', () => {
  it('listens and asks by itself, says so, and is seen by nobody', async () => {
    await using lab = await Lab.create()
    const [asking, answering] = await lab.hosts(['asking', 'answering'], [await lab.network('lan')])
    if (!asking || !answering) throw new Error('no hosts')
    const daemon = await answering.daemon()
    const { code, stdout, stderr } = await asking.cli('ls', '--json')
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ peers: [{ name: 'answering', state: 'alive' }] })
    expect(stderr).toMatch(/no .*daemon.*listen/i)
    expect(await daemon.peers('state=all')).toEqual([])
  })

  it('lists nobody where nobody is', async () => {
    await using lab = await Lab.create()
    const host = await lab.host('alone', [await lab.network('lan')])
    const { code, stdout } = await host.cli('ls', '--json')
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ peers: [] })
  })
})

describeMdnsLab('ls without a daemon, where something speaks mDNS', () => {
  it('finds that as well', async () => {
    await using lab = await Lab.create()
    const [asking, printer] = await lab.hosts(['asking', 'printer'], [await lab.network('lan')])
    if (!asking || !printer) throw new Error('no hosts')
    const avahi = await printer.avahi()
    await avahi.publish('Office', '_ipp._tcp', 631)
    // It has a second for all: on a machine that is busy itself, not always enough.
    const listed = async () => JSON.parse((await asking.cli('ls', '--json')).stdout)
    await expect.poll(listed, { timeout: 30_000 }).toMatchObject({
      peers: [{ id: 'printer.local', source: 'mdns', state: 'alive', services: [{ name: 'Office', port: 631 }] }],
    })
    expect(await avahi.browse('_earshot._udp')).toEqual([])
  })
})

import { expect, it } from 'vitest'
import { PortInUse } from '../../src/shared/errors.ts'
import { BEACON_PORT, describeLab, describeMdnsLab, Lab } from '../lab/index.ts'

describeLab('ls without a daemon', () => {
  it('listens and sends a query itself, prints a notice, and stays invisible', async () => {
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

  it('lists no peers on an empty network', async () => {
    await using lab = await Lab.create()
    const host = await lab.host('alone', [await lab.network('lan')])
    const { code, stdout } = await host.cli('ls', '--json')
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ peers: [] })
  })
})

describeLab('ls without a daemon whose UDP port another program uses', () => {
  it('fails with the address, and ends', async () => {
    await using lab = await Lab.create()
    const host = await lab.host('busy', [await lab.network('lan')])
    const holder = await host.python(
      `import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("", ${BEACON_PORT})); print("bound"); input()`,
    )
    await holder.waitForLine(/^bound$/)
    const { code, stdout, stderr } = await host.cli('ls')
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    const [, address = ''] = / on (\S+): in use/.exec(stderr) ?? []
    expect(stderr).toContain(new PortInUse(BEACON_PORT, address).message)
  })
})

describeMdnsLab('ls without a daemon on a network with mDNS', () => {
  it('lists mDNS hosts, too', async () => {
    await using lab = await Lab.create()
    const [asking, printer] = await lab.hosts(['asking', 'printer'], [await lab.network('lan')])
    if (!asking || !printer) throw new Error('no hosts')
    const avahi = await printer.avahi()
    await avahi.publish('Office', '_ipp._tcp', 631)
    // ls listens for one second, which is not always enough on a busy machine.
    const listed = async () => JSON.parse((await asking.cli('ls', '--json')).stdout)
    await expect.poll(listed, { timeout: 30_000 }).toMatchObject({
      peers: [{ id: 'printer.local', source: 'mdns', state: 'alive', services: [{ name: 'Office', port: 631 }] }],
    })
    expect(await avahi.browse('_earshot._udp')).toEqual([])
  })
})

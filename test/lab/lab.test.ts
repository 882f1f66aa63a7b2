import { expect, test } from 'vitest'
import { describeLab } from './describe-lab.ts'
import type { Host } from './host.ts'
import { Lab } from './lab.ts'
import { unreachable } from './reachability.ts'

describeLab('the lab', () => {
  test('six hosts start quickly', async () => {
    const start = performance.now()
    await using lab = await Lab.create()
    const net = await lab.network('lan')
    const hosts = await lab.hosts(['a', 'b', 'c', 'd', 'e', 'f'], [net])
    const took = performance.now() - start
    console.log(`6 hosts in ${took.toFixed(0)} ms`)
    expect(new Set(hosts.map((host) => host.address())).size).toBe(6)
    // An idle machine with two cores needs a tenth of a second. The rest of the limit is for a busy machine.
    expect(took).toBeLessThan(5000)
  })

  test('a host can have IPv6 only, IPv4 only, two networks, one network twice, or no network at first', async () => {
    await using lab = await Lab.create()
    const lan = await lab.network('lan')
    const v6 = await lab.network('v6', { ipv4: false, ipv6: 'fd77::/64' })
    const [both, only6, only4, late] = await Promise.all([
      lab.host('both', [lan, v6, { network: lan, name: 'wlan0' }]),
      lab.host('only6', [lan, v6], { ipv4: false }),
      lab.host('only4', [lan], { ipv6: false }),
      lab.host('late'),
    ])
    const addresses = async (host: Host): Promise<string> => (await host.exec('ip', ['-brief', 'addr'])).stdout
    expect(both.interfaces).toEqual(['eth0', 'eth1', 'wlan0'])
    expect(await addresses(both)).toMatch(/^eth1@\S+ +UP +fd77::\w+\/64 fe80::/m)
    expect(both.address('wlan0')).toMatch(/^10\.77\.1\.\d+$/)
    expect(await addresses(only6)).not.toContain('10.77.')
    expect(await addresses(only6)).toContain(`${only6.linkLocal()}/64`)
    expect(await addresses(only4)).not.toContain('fe80::')
    expect(() => only6.address()).toThrow('no IPv4')
    expect(late.interfaces).toEqual([])
    expect(await late.addInterface(lan)).toBe('eth0')
    expect(await addresses(both)).toContain(`${both.linkLocal('eth1')}/64`)
    expect(await unreachable(late, only4.address())).toBe('')
    await late.removeInterface('eth0')
    expect(await addresses(late)).not.toContain('eth0')
  })

  test('a hundred bridges are added and removed', { timeout: 20_000 }, async () => {
    await using lab = await Lab.create()
    const host = await lab.host('docker')
    const count = async (): Promise<number> =>
      (await host.exec('ls', ['/sys/class/net'])).stdout.match(/br\d+/g)?.length ?? 0
    const start = performance.now()
    await host.addBridges('br', 100)
    expect(await count()).toBe(100)
    await host.removeBridges('br')
    expect(await count()).toBe(0)
    console.log(`100 bridges added and removed in ${(performance.now() - start).toFixed(0)} ms`)
  })

  test('processes have output lines, signals, freezing, resource numbers and an exit status', async () => {
    await using lab = await Lab.create()
    const host = await lab.host('a')
    const script = 'import os,sys\nprint(os.getpid())\nfor l in sys.stdin: print("got", l.strip())\nsys.exit(3)'
    const process = await host.python(script)
    await process.waitForLine(new RegExp(`^${process.pid}$`))
    await process.freeze()
    process.write('x\n')
    await expect(process.waitForLine(/got x/, 100)).rejects.toThrow('within 100 ms there was no line')
    process.thaw()
    expect(await process.waitForLine(/got/)).toBe('got x')
    expect(process.rss()).toBeGreaterThan(1e6)
    expect(process.openFds()).toBeGreaterThanOrEqual(3)
    expect(process.cpuTime()).toBeGreaterThanOrEqual(0)
    process.closeInput()
    expect(await process.exited).toEqual({ code: 3, signal: null })
    await expect(process.waitForLine(/never/)).rejects.toThrow('ended before')
    const second = await host.spawn('sleep', ['60'])
    await second.freeze()
    expect(await second.kill()).toEqual({ code: null, signal: 'SIGKILL' })
    expect(await host.exec('cat', [], { input: 'in' })).toMatchObject({ code: 0, stdout: 'in' })
    await expect(host.exec('sleep', ['9'], { timeout: 100 })).rejects.toThrow('did not end within 100 ms')
  })
})

import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { describeLab, type Host, Lab } from '../../lab/index.ts'
import { Speaker } from './tools/speaker.ts'

// Speakers run test/built/io/net.
const PATHS = ['broadcast', 'multicast4', 'multicast6'] as const
const on = (...names: string[]): string[] => names.flatMap((name) => PATHS.map((path) => `${name} ${path}`))

/** How many sockets of the host are members of the groups on an interface, as `{ multicast4, multicast6 }`. */
async function memberships(host: Host, name: string): Promise<{ multicast4: number; multicast6: number }> {
  const { stdout } = await host.exec('cat', ['/proc/net/igmp', '/proc/net/igmp6'])
  let device = ''
  let multicast4 = 0
  let multicast6 = 0
  for (const line of stdout.split('\n')) {
    const fields = line.trim().split(/\s+/)
    if (/^\d+\t/.test(line)) device = fields[1] ?? ''
    if (device === name && fields[0] === '3599FFEF') multicast4 = Number(fields[1])
    if (fields[1] === name && fields[2] === 'ff120000000000000000000001530053') multicast6 = Number(fields[3])
  }
  return { multicast4, multicast6 }
}

describeLab('Net between hosts', () => {
  let lab: Lab
  beforeEach(async () => {
    lab = await Lab.create()
  })
  afterEach(() => lab.close())

  test('hosts receive each other and themselves on every path, each datagram once, and unicast', async () => {
    const lan = await lab.network('lan')
    const [a, b] = await lab.hosts(['a', 'b'], [lan])
    if (a === undefined || b === undefined) throw new Error('no hosts')
    const quiet = { env: { BEAT: '1000000' } }
    const [speakerA, speakerB] = await Promise.all([Speaker.start(a, 'A', quiet), Speaker.start(b, 'B', quiet)])
    for (const path of PATHS) speakerA.order(`once eth0 ${path}`)
    speakerA.order(`to eth0 ${b.address()} 15353`)
    speakerA.order(`to eth0 ${b.linkLocal()} 15353`)
    await sleep(300)
    const ipv4 = { interface: 'eth0', address: a.address(), port: 15353, onLink: true, own: false }
    const ipv6 = { ...ipv4, address: a.linkLocal() }
    const heard = speakerB.told(0, 'heard')
    expect(heard).toHaveLength(5)
    for (const expected of [
      { kind: 'heard', text: 'A', path: 'broadcast', ...ipv4 },
      { kind: 'heard', text: 'A', path: 'multicast4', ...ipv4 },
      { kind: 'heard', text: 'A', path: 'multicast6', ...ipv6 },
      { kind: 'heard', text: 'A to', path: 'unicast', ...ipv4 },
      { kind: 'heard', text: 'A to', path: 'unicast', ...ipv6 },
    ]) {
      expect(heard).toContainEqual(expected)
    }
    const own = speakerA.told(0, 'heard')
    expect(own).toHaveLength(3)
    for (const one of own) expect(one).toMatchObject({ own: true, onLink: true, interface: 'eth0' })
  })

  test('on a shared port, hosts receive each other by multicast, and no router would forward their datagrams', async () => {
    const lan = await lab.network('lan')
    const [a, b] = await lab.hosts(['a', 'b'], [lan])
    if (a === undefined || b === undefined) throw new Error('no hosts')
    const shared = { env: { SHARED: '1', LOOK: '50' } }
    const [speakerA, speakerB] = await Promise.all([Speaker.start(a, 'A', shared), Speaker.start(b, 'B', shared)])
    const paths = ['eth0 multicast4', 'eth0 multicast6']
    await Promise.all([speakerA.hearsAll('B', paths, 4000), speakerB.hearsAll('A', paths, 4000)])
    await using sniffer = await b.sniff({ interface: 'eth0' })
    speakerA.order(`to eth0 ${b.address()} 15353`)
    speakerA.order(`to eth0 ${b.linkLocal()} 15353`)
    const seen = await Promise.all(
      ['239.255.153.53', 'ff12::153:53', b.address(), b.linkLocal()].map((address) =>
        sniffer.waitFor(({ dst, outgoing }) => dst === address && !outgoing),
      ),
    )
    expect(seen.map(({ ttl, sport }) => [ttl, sport])).toEqual(seen.map(() => [255, 15353]))
    // Unicast belongs to the other programs on the port.
    await sleep(100)
    for (const one of speakerB.told(0, 'heard')) expect(one).not.toMatchObject({ path: 'unicast' })
    for (let i = 0; i < 10; i++) await a.flip('eth0', 60)
    await Promise.all([speakerA.hearsAll('B', paths, 4000), speakerB.hearsAll('A', paths, 4000)])
    expect(await memberships(a, 'eth0')).toEqual({ multicast4: 1, multicast6: 1 })
    expect(speakerA.told(0, 'uncaught')).toEqual([])
  })

  test('hosts with one IP version use the paths it has', async () => {
    const lan = await lab.network('lan')
    const [a4, b4] = await lab.hosts(['a4', 'b4'], [lan], { ipv6: false })
    const [a6, b6] = await lab.hosts(['a6', 'b6'], [lan], { ipv4: false })
    if (a4 === undefined || b4 === undefined || a6 === undefined || b6 === undefined) throw new Error('no hosts')
    const [, speaker4, , speaker6] = await Promise.all([
      Speaker.start(a4, 'A4'),
      Speaker.start(b4, 'B4'),
      Speaker.start(a6, 'A6'),
      Speaker.start(b6, 'B6'),
    ])
    // At the first poll of an IPv6-only host, its address may still be tentative.
    await speaker6.hears('A6', 'eth0', 'multicast6', 4000)
    await speaker4.hearsAll('A4', ['eth0 broadcast', 'eth0 multicast4'])
    expect((await speaker4.status()).interfaces[0]?.paths).toEqual(['broadcast', 'multicast4'])
    expect((await speaker6.status()).interfaces[0]?.paths).toEqual(['multicast6'])
    for (const speaker of [speaker4, speaker6]) expect(speaker.told(0, 'fault', 'uncaught')).toEqual([])
  })

  test('no network, then one, then a second: each is used within two seconds', async () => {
    const [red, blue] = [await lab.network('red'), await lab.network('blue')]
    const other = await lab.host('other', [red, blue])
    const host = await lab.host('host')
    await Speaker.start(other, 'O')
    const speaker = await Speaker.start(host, 'H')
    expect(speaker.told(0, 'interfaces')).toEqual([])
    await host.addInterface(red)
    await speaker.hearsAll('O', ['eth0 broadcast', 'eth0 multicast4'])
    // Duplicate address detection of an IPv6 address takes 1 to 2 s.
    await speaker.hears('O', 'eth0', 'multicast6', 4000)
    const before = speaker.here
    // A few beats reach the first interface alone, however soon the second one is noticed.
    await sleep(300)
    await host.addInterface(blue)
    await speaker.hearsAll('O', ['eth1 broadcast', 'eth1 multicast4'])
    await speaker.hears('O', 'eth1', 'multicast6', 4000)
    // The first interface lost no beat: ten per second on each path.
    const seconds = speaker.told(before, 'heard').filter((one) => 'text' in one && one.text === 'O')
    const count = (name: string) => seconds.filter((one) => 'interface' in one && one.interface === name).length
    expect(count('eth0')).toBeGreaterThan(count('eth1'))
    expect(speaker.told(0, 'fault', 'uncaught')).toEqual([])
    // Nothing is received on the wrong interface.
    for (const one of speaker.told(0, 'heard')) {
      if (one.kind !== 'heard' || one.address.includes(':')) continue
      expect(one.address.startsWith(one.interface === 'eth0' ? '10.77.1.' : '10.77.2.')).toBe(true)
    }
    await host.removeInterface('eth0')
    await vi.waitFor(
      async () => expect((await speaker.status()).interfaces.map(({ name }) => name)).toEqual(['eth1']),
      2000,
    )
  })

  test('an address that changes is followed', async () => {
    const lan = await lab.network('lan')
    const [a, b] = await lab.hosts(['a', 'b'], [lan])
    if (a === undefined || b === undefined) throw new Error('no hosts')
    const speakerA = await Speaker.start(a, 'A')
    const speakerB = await Speaker.start(b, 'B')
    await speakerB.hearsAll('A', on('eth0'))
    for (const address of ['10.77.1.100', '10.77.1.101', '10.77.1.102']) {
      await a.changeAddress('eth0', address)
      const isFrom = new RegExp(`"text":"A","interface":"eth0","path":"multicast4","address":"${address}"`)
      await speakerB.process.waitForLine(isFrom, 2000, speakerB.here)
      await speakerA.hearsAll('B', on('eth0'))
    }
    await sleep(1500)
    expect(speakerA.told(0, 'fault', 'uncaught')).toEqual([])
    expect(await memberships(a, 'eth0')).toEqual({ multicast4: 1, multicast6: 1 })
  })

  test('a link that goes down and up with the same address works again within two seconds', async () => {
    const lan = await lab.network('lan')
    const [a, b] = await lab.hosts(['a', 'b'], [lan])
    if (a === undefined || b === undefined) throw new Error('no hosts')
    await Speaker.start(b, 'B')
    // One speaker polls the interfaces. The other never does, so only the kernel keeps its memberships.
    for (const env of [{}, { LOOK: '1000000' }]) {
      const speaker = await Speaker.start(a, 'A', { env })
      await speaker.hearsAll('B', on('eth0'), 4000)
      await a.flip('eth0')
      await sleep(100)
      await speaker.hearsAll('B', on('eth0'), 2500)
      expect(speaker.told(0, 'fault', 'uncaught')).toEqual([])
      await speaker.process.kill()
    }
    const speaker = await Speaker.start(a, 'A')
    await a.linkDown()
    await vi.waitFor(async () => expect((await speaker.status()).interfaces).toEqual([]), 2000)
    await a.linkUp()
    await speaker.hearsAll('B', ['eth0 broadcast', 'eth0 multicast4'])
    await a.unplug()
    await vi.waitFor(async () => expect((await speaker.status()).interfaces).toEqual([]), 2000)
    await a.plug()
    await speaker.hearsAll('B', ['eth0 broadcast', 'eth0 multicast4'])
    expect(speaker.told(0, 'fault', 'uncaught')).toEqual([])
  })

  test('a tentative IPv6 address is no fault, and is used when it is no longer tentative', async () => {
    const lan = await lab.network('lan')
    const a = await lab.host('a', [lan])
    await a.linkDown()
    await a.namespace.sh('cd /proc/sys/net/ipv6/conf; for c in all eth0; do echo 1 > $c/accept_dad; done')
    await a.namespace.sh('echo 1 > /proc/sys/net/ipv6/conf/eth0/dad_transmits')
    const speaker = await Speaker.start(a, 'A')
    await a.linkUp()
    expect(await a.namespace.sh('ip addr show dev eth0')).toContain('tentative')
    await speaker.hearsAll('A', ['eth0 broadcast', 'eth0 multicast4'])
    expect((await speaker.status()).interfaces[0]?.paths).toEqual(['broadcast', 'multicast4'])
    await speaker.hears('A', 'eth0', 'multicast6', 4000)
    expect(speaker.told(0, 'fault', 'recovered', 'uncaught')).toEqual([])
  })

  test('300 changes of an interface leave no socket and no membership behind', { timeout: 60_000 }, async () => {
    const [lan, quiet] = [await lab.network('lan'), await lab.network('quiet')]
    const a = await lab.host('a', [lan, quiet])
    const b = await lab.host('b', [lan])
    await Speaker.start(b, 'B')
    const speaker = await Speaker.start(a, 'A', { env: { LOOK: '10', RENEW: '40' } })
    await speaker.hearsAll('B', on('eth0'), 4000)
    const fds = await speaker.process.lastingFds()
    // Some changes are faster than the polling, others are seen.
    for (let i = 0; i < 20; i++) await a.flip('eth0', 10)
    for (let i = 0; i < 100; i++) {
      await a.linkDown()
      await sleep(15)
      await a.linkUp()
    }
    expect(speaker.told(0, 'interfaces').length).toBeGreaterThan(100)
    await speaker.hearsAll('B', on('eth0'), 5000)
    expect(await speaker.process.lastingFds()).toBe(fds)
    for (const name of ['eth0', 'eth1']) expect(await memberships(a, name)).toEqual({ multicast4: 1, multicast6: 1 })
    expect(speaker.told(0, 'uncaught')).toEqual([])
    speaker.order('stop')
    await speaker.process.waitForLine(/"kind":"closed"/)
    expect(await memberships(a, 'eth0')).toEqual({ multicast4: 0, multicast6: 0 })
  })

  test('100 container bridges come and go: no group is joined, and nothing is reported', {
    timeout: 60_000,
  }, async () => {
    const lan = await lab.network('lan')
    const [a, b] = await lab.hosts(['a', 'b'], [lan])
    if (a === undefined || b === undefined) throw new Error('no hosts')
    await Speaker.start(b, 'B')
    const speaker = await Speaker.start(a, 'A')
    await speaker.hearsAll('B', on('eth0'), 4000)
    const before = speaker.here
    const fds = await speaker.process.lastingFds()
    await a.addBridges('docker', 100)
    await vi.waitFor(async () => {
      const { leftOut } = await speaker.status()
      expect(leftOut.filter(({ pattern }) => pattern === 'docker*').length).toBeGreaterThan(99)
    }, 5000)
    const { stdout } = await a.exec('grep', ['-c', '3599FFEF', '/proc/net/igmp'])
    expect(stdout.trim()).toBe('1')
    expect(await speaker.process.lastingFds()).toBe(fds)
    await a.removeBridges('docker')
    await speaker.hearsAll('B', on('eth0'))
    expect(speaker.told(before, 'interfaces', 'fault', 'uncaught')).toEqual([])
  })

  test('more interfaces than a socket can have memberships', { timeout: 60_000 }, async () => {
    const lan = await lab.network('lan')
    const a = await lab.host('a', [lan])
    await a.addBridges('seg', 30)
    const segments = Array.from({ length: 30 }, (_, number) => `seg${number}`)
    const speaker = await Speaker.start(a, 'A', { include: ['eth0', ...segments] })
    await vi.waitFor(async () => {
      const { interfaces, faults } = await speaker.status()
      expect(faults).toEqual([])
      expect(interfaces).toHaveLength(31)
      for (const { paths } of interfaces) expect(paths).toEqual([...PATHS])
    }, 8000)
    await speaker.hearsAll('A', on('eth0', 'seg0', 'seg15', 'seg29'), 4000)
  })

  test('two interfaces in one network', async () => {
    const lan = await lab.network('lan')
    const [a, b] = [await lab.host('a', [lan, lan]), await lab.host('b', [lan])]
    const speakerB = await Speaker.start(b, 'B')
    const speakerA = await Speaker.start(a, 'A')
    await speakerA.hearsAll('B', on('eth0', 'eth1'), 4000)
    await speakerA.hearsAll('A', on('eth0', 'eth1'), 4000)
    const { interfaces } = await speakerA.status()
    expect(interfaces.map(({ paths }) => paths)).toEqual([[...PATHS], [...PATHS]])
    // Own datagrams always count as own. For IPv4, only the sending interface reports them.
    for (const one of speakerA.told(0, 'heard')) {
      if (one.kind !== 'heard') continue
      expect(one.own).toBe(one.text === 'A')
      if (one.own && one.path !== 'multicast6') expect(one.address).toBe(a.address(one.interface))
    }
    await vi.waitFor(() => {
      const sources = speakerB.said().map((one) => (one.kind === 'heard' && !one.own ? one.address : undefined))
      for (const name of ['eth0', 'eth1']) {
        expect(sources).toContain(a.address(name))
        expect(sources).toContain(a.linkLocal(name))
      }
    }, 4000)
  })

  test('a source outside of every subnet is reported once, as not on the link', async () => {
    const [red, blue] = [await lab.network('red'), await lab.network('blue')]
    const a = await lab.host('a', [red, blue])
    const b = await lab.host('b', [red, blue])
    const quiet = { env: { BEAT: '1000000' } }
    const speaker = await Speaker.start(a, 'A', quiet)
    await a.exec('sh', ['-c', 'for f in all eth0 eth1; do echo 0 > /proc/sys/net/ipv4/conf/$f/rp_filter; done'])
    await a.exec('ip', ['route', 'add', 'default', 'via', b.address('eth1')])
    const forged = { src: '198.51.100.7', payload: Buffer.from('far') }
    await b.inject({ ...forged, dst: '239.255.153.53', interface: 'eth1' })
    await b.inject({ ...forged, dst: blue.broadcast, interface: 'eth1' })
    await sleep(300)
    const heard = speaker.told(0, 'heard')
    expect(heard.map((one) => 'path' in one && one.path).sort()).toEqual(['broadcast', 'multicast4'])
    for (const one of heard) expect(one).toMatchObject({ address: '198.51.100.7', onLink: false, own: false })
  })

  test('a refusal by the firewall is a fault, reported once, until it ends', async () => {
    const lan = await lab.network('lan')
    const a = await lab.host('a', [lan])
    const speaker = await Speaker.start(a, 'A')
    await a.namespace.nft(`table inet t { chain c {
      type filter hook output priority 0; ip daddr 239.255.153.53 drop; ip6 daddr ff12::153:53 drop;
    }; }`)
    await sleep(3000)
    const faults = speaker.told(0, 'fault').map((one) => 'path' in one && one.path)
    expect(faults).toEqual(['multicast4', 'multicast6'])
    expect((await speaker.status()).faults).toHaveLength(2)
    await a.exec('nft', ['delete', 'table', 'inet', 't'])
    await speaker.hearsAll('A', on('eth0'))
    expect(speaker.told(0, 'recovered')).toHaveLength(2)
    expect((await speaker.status()).faults).toEqual([])
  })

  test.each([
    ['a port of its own', {}, PATHS],
    ['a shared port', { SHARED: '1' }, ['multicast4', 'multicast6'] as const],
  ])('on %s, unicast to addresses that do not exist does not delay the shared paths', async (_, env, paths) => {
    const lan = await lab.network('lan')
    const [a, b] = await lab.hosts(['a', 'b'], [lan])
    if (a === undefined || b === undefined) throw new Error('no hosts')
    const [speakerA, speakerB] = await Promise.all([
      Speaker.start(a, 'A', { env }),
      Speaker.start(b, 'B', { env: { ...env, BEAT: '1000000' } }),
    ])
    await speakerB.hearsAll(
      'A',
      paths.map((path) => `eth0 ${path}`),
      4000,
    )
    const from = speakerB.here
    const { beats: before } = await speakerA.status()
    for (let i = 0; i < 10; i++) {
      speakerA.order('flood eth0 10.77.1. 10 240')
      speakerA.order('flood eth0 fe80::bad: 16 240')
      await sleep(200)
    }
    const sent = (await speakerA.status()).beats - before
    expect(sent).toBeGreaterThan(4)
    for (const path of paths) {
      const received = () => speakerB.told(from, 'heard').filter((one) => 'path' in one && one.path === path).length
      // Without separate sockets for unicast, A would stop sending within a second, and for longer than this timeout.
      await expect.poll(received, { timeout: 2000, message: path }).toBeGreaterThanOrEqual(sent - 1)
    }
    const { dropped } = await speakerA.status()
    expect(dropped.unicast).toBeGreaterThan(3000)
    expect(dropped.shared).toBe(0)
    // The queue empties after the last three attempts to resolve the address.
    await sleep(4000)
    const after = speakerB.here
    speakerA.order(`to eth0 ${b.address()} 15353`)
    if (!('SHARED' in env)) await speakerB.hears('A to', 'eth0', 'unicast', 5000, after)
  })

  test('every IPv4 subnet of an interface is received from and sent to', async () => {
    const lan = await lab.network('lan')
    const [a, b] = await lab.hosts(['a', 'b'], [lan], { ipv6: false })
    if (a === undefined || b === undefined) throw new Error('no hosts')
    const own = `${a.address()}/24`
    await a.namespace.sh(`ip addr flush dev eth0; ip addr add 169.254.5.5/16 brd + dev eth0;
      ip addr add ${own} brd + dev eth0 label eth0:0; ip addr add 10.99.0.5/32 dev lo label lo:0`)
    const [speakerA, speakerB] = [await Speaker.start(a, 'A'), await Speaker.start(b, 'B')]
    const paths = ['eth0 broadcast', 'eth0 multicast4']
    await Promise.all([speakerA.hearsAll('B', paths), speakerB.hearsAll('A', paths)])
    const from = speakerA.here
    for (const [speaker, to] of [
      [speakerA, b],
      [speakerB, a],
    ] as const)
      speaker.order(`to eth0 ${to.address()} 15353`)
    const [atB, atA] = [
      await speakerB.hears('A to', 'eth0', 'unicast', 5000, 0),
      await speakerA.hears('B to', 'eth0', 'unicast', 5000, from),
    ]
    expect([atB, atA]).toMatchObject([
      { address: a.address(), onLink: true },
      { address: b.address(), onLink: true },
    ])
    for (const one of speakerA.told(0, 'heard')) expect(one).toMatchObject({ interface: 'eth0', onLink: true })
    const { interfaces, faults, leftOut } = await speakerA.status()
    expect(interfaces.map(({ name, addresses }) => [name, addresses.map(({ address }) => address).sort()])).toEqual([
      ['eth0', [a.address(), '169.254.5.5'].sort()],
    ])
    expect(faults).toEqual([])
    expect(leftOut.map(({ name }) => name)).toEqual(['lo'])
  })

  test('a bridge named br-lan is used, and so is the interface of the default route', async () => {
    const lan = await lab.network('lan')
    const [a, b] = await lab.hosts(['a', 'b'], [lan])
    if (a === undefined || b === undefined) throw new Error('no hosts')
    await a.namespace.sh(`ip link add br-lan type bridge; ip link set br-lan up; ip addr add 10.78.0.1/24 brd + dev br-lan
      ip link add docker0 type bridge; ip link set docker0 up; ip addr add 10.79.0.1/24 brd + dev docker0
      ip link add veth0 type veth peer name veth1
      ip link set veth0 master br-lan up; ip link set veth1 master docker0 up`)
    const speaker = await Speaker.start(a, 'A', { env: { LOOK: '100' } })
    const used = async () => (await speaker.status()).interfaces.map(({ name }) => name).sort()
    await vi.waitFor(async () => expect(await used()).toContain('br-lan'), 10_000)
    expect(await used()).not.toContain('docker0')
    await a.exec('ip', ['route', 'add', 'default', 'via', '10.79.0.2'])
    await vi.waitFor(async () => expect(await used()).toContain('docker0'), 10_000)
  })

  test('an IPv6 address that another machine has too is not announced, and the fault says so', async () => {
    const lan = await lab.network('lan')
    const [a, b] = await lab.hosts(['a', 'b'], [lan])
    if (a === undefined || b === undefined) throw new Error('no hosts')
    for (const host of [a, b]) {
      await host.namespace.sh(`for c in all eth0; do echo 1 > /proc/sys/net/ipv6/conf/$c/accept_dad; done
        echo 1 > /proc/sys/net/ipv6/conf/eth0/dad_transmits
        ip link set eth0 down; ip link set eth0 address 02:00:00:00:00:55; ip link set eth0 up`)
      await sleep(2500)
    }
    const speaker = await Speaker.start(b, 'B')
    await vi.waitFor(async () => {
      const { interfaces, faults } = await speaker.status()
      expect(interfaces[0]?.addresses.map(({ family }) => family)).toEqual(['ipv4'])
      expect(faults.map(({ path }) => path)).toContain('multicast6')
      expect(faults[0]?.message).toMatch(/^the address fe80::ff:fe00:55 is not used because another machine has it too/)
    }, 10_000)
  })
})

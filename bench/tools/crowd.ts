import { Presence } from '../../src/core/presence/presence.ts'
import { createIdentity } from '../../src/core/wire/identity.ts'
import { Net } from '../../src/io/net/net.ts'
import { Clock, random } from '../../src/io/system.ts'

/**
 * Many peers in one process, for benchmarks: each one beats, and answers what others ask, with the rules of the daemon. They share the sockets of one
 * host, and do not hear each other. Arguments: how many there are, the UDP port.
 */
const [count = '49', port = '15353'] = process.argv.slice(2)
const clock = new Clock()
const net = new Net({
  port: Number(port),
  group4: '239.255.153.53',
  group6: 'ff12::153:53',
  include: [],
  exclude: undefined,
})
const peers = Array.from({ length: Number(count) }, (_, number) => {
  const profile = { name: `peer${number}`, hostname: `peer${number}`, version: 'bench', services: [], attributes: {} }
  return new Presence({ identity: createIdentity(), incarnation: 1, profile, interval: 1000, budget: 1e9, random })
})

function flush(): void {
  for (const peer of peers) {
    for (const { interface: name, to, bytes } of peer.takeOutgoing()) {
      if (typeof to === 'string') net.send(name, to, bytes)
      else net.sendTo(name, to.address, to.port, bytes)
    }
    peer.takeRenewals()
    peer.takeNotices()
    peer.takeEchoes()
  }
}

net.on('interfaces', (interfaces) => {
  for (const peer of peers) peer.setInterfaces(interfaces, clock.now())
  flush()
})
net.on('datagram', (bytes, source) => {
  if (source.own) return
  // Only queries and probes are answered: decoding the beats of the daemon 49 times would take the processor from it.
  if (bytes[3] === 1) return
  for (const peer of peers) peer.receive(bytes, source, clock.now())
  flush()
})
await net.open()
for (const peer of peers) peer.start(clock.now())
setInterval(() => {
  const now = clock.now()
  for (const peer of peers) if ((peer.nextWake ?? Number.POSITIVE_INFINITY) <= now) peer.wake(now)
  flush()
}, 5)
console.log('ready')

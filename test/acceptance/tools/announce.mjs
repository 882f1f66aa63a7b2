// Many peers in one process: announce.mjs DIST BROADCAST COUNT ADDRESS… makes COUNT identities, told from these source
// addresses in turn. A line `CHANGES PER-SECOND` on standard input makes each change its record so often.

import { createSocket } from 'node:dgram'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'

const PORT = 15353
const INTERVAL = 60_000
const STEP = 20

const [, , dist, broadcast, count, ...addresses] = process.argv
const load = (name) => import(pathToFileURL(`${dist}/core/wire/${name}.js`).href)
const { encode } = await load('codec')
const { DIGEST_BYTES, encodeDigest, HashChain } = await load('hash-chain')
const { createIdentity, goodbyeCommitment } = await load('identity')
const { signRecord } = await load('record')

const sockets = await Promise.all(
  addresses.map(
    (address) =>
      new Promise((resolve) => {
        const socket = createSocket('udp4')
        socket.bind({ address, port: 0 }, () => {
          socket.setBroadcast(true)
          resolve(socket)
        })
      }),
  ),
)

const peers = Array.from({ length: Number(count) }, (_, index) => {
  const identity = createIdentity()
  const secret = Buffer.alloc(DIGEST_BYTES, 1)
  const chain = new HashChain(identity.id, 1, 0, secret, 4)
  const { sequence, value } = chain.anchor
  const record = {
    name: `p${index}`,
    hostname: `p${index}`,
    addresses: [addresses[index % addresses.length]],
    interval: INTERVAL,
    services: [],
    version: 'announce',
    anchor: { sequence, value: encodeDigest(value) },
    goodbye: encodeDigest(goodbyeCommitment(identity.id, 1, secret)),
  }
  return { identity, record, chain, version: 0, socket: sockets[index % sockets.length] }
})

function tell(peer) {
  peer.version++
  const { id } = peer.identity
  const record = { ...peer.record, attributes: { change: peer.version, text: 'x'.repeat(400) } }
  const { joined } = signRecord(peer.identity, 1, peer.version, record)
  const header = { type: 'record', path: 'broadcast', id, incarnation: 1, sequence: 0 }
  const datagram = encode({ ...header, part: 0, parts: 1, recordVersion: peer.version, bytes: joined })
  peer.socket.send(datagram, PORT, broadcast)
  if (peer.version === 1) beat(peer)
}

/** One sign of life is enough for the time that a test takes. */
function beat({ identity, chain, socket }) {
  const { sequence, value: reveal } = chain.next()
  const header = { type: 'beat', path: 'broadcast', id: identity.id, incarnation: 1, sequence }
  socket.send(encode({ ...header, recordVersion: 1, echo: 0, number: 1, sent: 0, reveal }), PORT, broadcast)
}

console.log('ready')
for await (const line of createInterface({ input: process.stdin })) {
  const [changes, perSecond] = line.split(' ').map(Number)
  let told = 0
  while (told < changes * peers.length) {
    // What a wait was too long is not made up for: a burst would be more than the daemons check.
    for (let i = 0; i < (perSecond * STEP) / 1000; i++) tell(peers[told++ % peers.length])
    await delay(STEP)
  }
  console.log(`told ${changes * peers.length}`)
}
for (const socket of sockets) socket.close()

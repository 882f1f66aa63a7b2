// Simulates many peers: simulate_peers.mjs BROADCAST COUNT ADDRESS… creates COUNT identities, which use the source
// addresses in turn. After a line `CHANGES PER-SECOND` on standard input, each peer changes its record CHANGES times.
// PER-SECOND is the total rate.

import { createSocket } from 'node:dgram'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { encode } from '../../built/core/wire/codec.js'
import { DIGEST_BYTES, encodeDigest, HashChain } from '../../built/core/wire/hash-chain.js'
import { createIdentity, goodbyeCommitment } from '../../built/core/wire/identity.js'
import { signRecord } from '../../built/core/wire/record.js'

const PORT = 15353
const INTERVAL = 60_000
const STEP = 20

const [, , broadcast, count, ...addresses] = process.argv

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

function sendRecord(peer) {
  peer.version++
  const { id } = peer.identity
  const record = { ...peer.record, attributes: { change: peer.version, text: 'x'.repeat(400) } }
  const { joined } = signRecord(peer.identity, 1, peer.version, record)
  const header = { type: 'record', path: 'broadcast', id, incarnation: 1, sequence: 0 }
  const datagram = encode({ ...header, part: 0, parts: 1, recordVersion: peer.version, bytes: joined })
  peer.socket.send(datagram, PORT, broadcast)
  if (peer.version === 1) sendBeat(peer)
}

/** A single beat is enough for the duration of a test, because the interval is long. */
function sendBeat({ identity, chain, socket }) {
  const { sequence, value: reveal } = chain.next()
  const header = { type: 'beat', path: 'broadcast', id: identity.id, incarnation: 1, sequence }
  socket.send(encode({ ...header, recordVersion: 1, echo: 0, number: 1, sent: 0, reveal }), PORT, broadcast)
}

console.log('ready')
for await (const line of createInterface({ input: process.stdin })) {
  const [changes, perSecond] = line.split(' ').map(Number)
  let sent = 0
  while (sent < changes * peers.length) {
    // After a long delay there is no burst to catch up, because it would exceed the daemon's signature limit.
    for (let i = 0; i < (perSecond * STEP) / 1000; i++) sendRecord(peers[sent++ % peers.length])
    await delay(STEP)
  }
  console.log(`sent ${changes * peers.length}`)
}
for (const socket of sockets) socket.close()

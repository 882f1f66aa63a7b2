import { createSocket, type Socket } from 'node:dgram'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { encode } from '../../src/core/wire/codec.ts'
import { DIGEST_BYTES, encodeDigest, HashChain } from '../../src/core/wire/hash-chain.ts'
import { createIdentity, goodbyeCommitment } from '../../src/core/wire/identity.ts'
import { signRecord } from '../../src/core/wire/record.ts'

/**
 * Many peers that send what they are told to, and answer nothing. Arguments: the broadcast address, the number of peers, the number of beats that
 * each can send, and the source addresses, which the peers use in turn. Reads one command a line, and answers `done`:
 *   records PER_SECOND   every peer sends its record and a beat
 *   prepare BEATS        encodes this number of beats of every peer
 *   send BURST PAUSE     sends them, BURST at a time, with pauses of PAUSE ms
 *   change PEER          one peer changes its record
 */
const PORT = 15353
/** The interval that the peers claim, ms. Long, so that they stay alive between the commands. */
const INTERVAL = 60_000
const STEP_MS = 20

const [broadcast = '', count = '1', beats = '1', ...addresses] = process.argv.slice(2)

interface Peer {
  readonly send: (bytes: Uint8Array) => void
  /** Encodes the record with the next version. */
  readonly record: () => Uint8Array
  readonly beat: () => Uint8Array
}

function createPeer(number: number, socket: Socket, address: string): Peer {
  const identity = createIdentity()
  const seed = Buffer.alloc(DIGEST_BYTES, 1)
  const chain = new HashChain(identity.id, 1, 0, seed, Number(beats))
  const anchor = { sequence: chain.anchor.sequence, value: encodeDigest(chain.anchor.value) }
  const header = { path: 'broadcast', id: identity.id, incarnation: 1 } as const
  let recordVersion = 0
  let sent = 0
  return {
    send: (bytes) => socket.send(bytes, PORT, broadcast),
    record() {
      recordVersion++
      const { joined } = signRecord(identity, 1, recordVersion, {
        name: `p${number}`,
        hostname: `p${number}`,
        addresses: [address],
        interval: INTERVAL,
        services: [{ id: 'web', name: `Web of p${number}`, type: '_http._tcp', port: 80, txt: {}, subtypes: [] }],
        attributes: { change: recordVersion },
        version: 'bench',
        anchor,
        goodbye: encodeDigest(goodbyeCommitment(identity.id, 1, seed)),
      })
      return encode({ type: 'record', ...header, sequence: 0, part: 0, parts: 1, recordVersion, bytes: joined })
    },
    beat() {
      const link = chain.next()
      if (!link) throw new Error('a peer has no more beats')
      sent++
      const body = { recordVersion, echo: 0, number: sent, sent: Math.round(performance.now()), reveal: link.value }
      return encode({ type: 'beat', ...header, sequence: link.sequence, ...body })
    },
  }
}

async function openSocket(address: string): Promise<Socket> {
  const socket = createSocket('udp4')
  await new Promise<void>((resolve) => socket.bind({ address, port: 0 }, resolve))
  socket.setBroadcast(true)
  return socket
}

const sockets = await Promise.all(addresses.map(openSocket))
const peers = Array.from({ length: Number(count) }, (_, number) => {
  const [socket, address] = [sockets[number % sockets.length], addresses[number % sockets.length]]
  if (!socket || address === undefined) throw new Error('no source address')
  return createPeer(number, socket, address)
})
let prepared: { peer: Peer; bytes: Uint8Array }[] = []

const COMMANDS: Record<string, (...args: number[]) => Promise<void> | void> = {
  async records(perSecond = 100) {
    const begin = performance.now()
    for (const [number, peer] of peers.entries()) {
      peer.send(peer.record())
      peer.send(peer.beat())
      if (number > ((performance.now() - begin) / 1000) * perSecond) await delay(STEP_MS)
    }
  },
  prepare(each = 1) {
    prepared = []
    for (let round = 0; round < each; round++) {
      for (const peer of peers) prepared.push({ peer, bytes: peer.beat() })
    }
  },
  async send(burst = 1, pause = 1) {
    for (const [number, { peer, bytes }] of prepared.entries()) {
      if (number % burst === burst - 1) await delay(pause)
      peer.send(bytes)
    }
  },
  change(number = 0) {
    const peer = peers[number % peers.length]
    peer?.send(peer.record())
  },
}

console.log('ready')
for await (const line of createInterface({ input: process.stdin })) {
  const [command = '', ...args] = line.split(' ')
  await COMMANDS[command]?.(...args.map(Number))
  console.log('done')
}
for (const socket of sockets) socket.close()

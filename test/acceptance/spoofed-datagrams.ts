import { closeSync, openSync, rmSync, writeSync } from 'node:fs'
import { isIPv4 } from 'node:net'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { BEACON_PORT, type Host } from '../lab/index.ts'
import { PYTHON } from '../lab/sniffer.ts'

/** A datagram with a forged source address. */
export interface SpoofedDatagram {
  src: string
  dst: string
  payload: Uint8Array
  /** Default: the multicast MAC address for a multicast `dst`, otherwise broadcast. */
  dstMac?: string
  /** Source and destination UDP port. Default: the beacon port. */
  port?: number
}

const TOOL = fileURLToPath(new URL('tools/send_frames.py', import.meta.url))
const UDP = 17
let files = 0

/**
 * Sends datagrams with forged source addresses through a host's eth0, at rates of thousands per second. For a few
 * datagrams, `Host.inject` is simpler. Resolves when all are sent.
 */
export async function sendSpoofed(host: Host, datagrams: Iterable<SpoofedDatagram>, perSecond: number): Promise<void> {
  const file = join(host.dir, `frames-${files++}`)
  const mac = macBytes(host.mac())
  const out = openSync(file, 'w')
  let count = 0
  let chunk: Buffer[] = []
  const flush = () => {
    writeSync(out, Buffer.concat(chunk))
    chunk = []
  }
  for (const datagram of datagrams) {
    const bytes = frame(datagram, mac)
    const length = Buffer.alloc(2)
    length.writeUInt16BE(bytes.length)
    chunk.push(length, bytes)
    if (++count % 1000 > 0) continue
    flush()
    // Yields, so that this loop does not delay the response times that a test measures meanwhile.
    await setImmediate()
  }
  flush()
  closeSync(out)
  const timeout = 30_000 + (4 * count * 1000) / perSecond
  const { code, stdout, stderr } = await host.exec(PYTHON, [TOOL, file, 'eth0', String(perSecond)], { timeout })
  rmSync(file)
  if (code !== 0 || Number(stdout) !== count) throw new Error(`sent ${stdout.trim()} of ${count} frames: ${stderr}`)
}

/** Encodes an Ethernet frame with one UDP datagram. */
function frame({ src, dst, payload, dstMac, port = BEACON_PORT }: SpoofedDatagram, srcMac: Buffer): Buffer {
  const [source, target] = [addressBytes(src), addressBytes(dst)]
  const isV4 = source.length === 4
  const udp = Buffer.alloc(8 + payload.length)
  udp.writeUInt16BE(port, 0)
  udp.writeUInt16BE(port, 2)
  udp.writeUInt16BE(udp.length, 4)
  udp.set(payload, 8)
  const pseudo = Buffer.alloc(4)
  pseudo.writeUInt16BE(udp.length, 0)
  pseudo.writeUInt16BE(UDP, 2)
  udp.writeUInt16BE(checksum(Buffer.concat([source, target, pseudo, udp])) || 0xffff, 6)
  const to = dstMac === undefined ? targetMac(target) : macBytes(dstMac)
  const type = Buffer.from(isV4 ? '0800' : '86dd', 'hex')
  return Buffer.concat([to, srcMac, type, isV4 ? header4(source, target, udp) : header6(source, target, udp), udp])
}

function header4(source: Buffer, target: Buffer, udp: Buffer): Buffer {
  const header = Buffer.concat([Buffer.from('450000000000400001110000', 'hex'), source, target])
  header.writeUInt16BE(header.length + udp.length, 2)
  header.writeUInt16BE(checksum(header), 10)
  return header
}

function header6(source: Buffer, target: Buffer, udp: Buffer): Buffer {
  const header = Buffer.concat([Buffer.from('6000000000001101', 'hex'), source, target])
  header.writeUInt16BE(udp.length, 4)
  return header
}

/** The Internet checksum (RFC 1071). */
function checksum(bytes: Buffer): number {
  let sum = 0
  for (let at = 0; at + 1 < bytes.length; at += 2) sum += bytes.readUInt16BE(at)
  if (bytes.length % 2 === 1) sum += bytes.readUInt8(bytes.length - 1) << 8
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}

/** Maps multicast addresses to MAC addresses (RFC 1112, section 6.4; RFC 2464, section 7). */
function targetMac(target: Buffer): Buffer {
  if (target.length === 16) return Buffer.concat([Buffer.from('3333', 'hex'), target.subarray(12)])
  if (target.readUInt8(0) >> 4 !== 14) return Buffer.alloc(6, 0xff)
  const mac = Buffer.concat([Buffer.from('01005e', 'hex'), target.subarray(1)])
  mac.writeUInt8(mac.readUInt8(3) & 0x7f, 3)
  return mac
}

function macBytes(mac: string): Buffer {
  return Buffer.from(mac.replaceAll(':', ''), 'hex')
}

function addressBytes(address: string): Buffer {
  if (isIPv4(address)) return Buffer.from(address.split('.').map(Number))
  const [head = '', tail = ''] = address.split('::')
  const words = (text: string) => text.split(':').filter((word) => word !== '')
  const [before, after] = [words(head), words(tail)]
  const zeros = new Array<string>(8 - before.length - after.length).fill('0')
  return Buffer.from([...before, ...zeros, ...after].map((word) => word.padStart(4, '0')).join(''), 'hex')
}

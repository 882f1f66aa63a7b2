import dnsPacket from 'dns-packet'
import type { Message } from '../../../../src/core/mdns/dns/types.ts'
import { compress } from '../../../../src/io/mdns/compress.ts'
import { restoreDots } from '../../../../src/io/mdns/dots.ts'
import { packetOf } from '../../../../src/io/mdns/message.ts'

/** A message as it is sent. */
export function encoded(message: Message): Buffer {
  return compress(whole(message))
}

/** The same with its names whole. */
export function whole(message: Message): Buffer {
  const bytes = dnsPacket.encode(packetOf(message))
  restoreDots(bytes)
  return bytes
}

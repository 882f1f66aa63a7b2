import dnsPacket from 'dns-packet'
import { compress } from '../../../src/mdns/bonjour/compress.ts'
import { restoreDots } from '../../../src/mdns/bonjour/dots.ts'
import { packetOf } from '../../../src/mdns/bonjour/message.ts'
import type { Message } from '../../../src/mdns/types.ts'

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

import dnsPacket from 'dns-packet'
import type { Message } from '../../../../src/core/mdns/dns/types.ts'
import { compressNames } from '../../../../src/io/mdns/compress.ts'
import { restoreDots } from '../../../../src/io/mdns/dots.ts'
import { packetFromMessage } from '../../../../src/io/mdns/message.ts'

/** A message as it is sent. */
export function encoded(message: Message): Buffer {
  return compressNames(whole(message))
}

/** The same with its names whole. */
export function whole(message: Message): Buffer {
  const bytes = dnsPacket.encode(packetFromMessage(message))
  restoreDots(bytes)
  return bytes
}

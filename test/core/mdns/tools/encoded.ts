import dnsPacket from 'dns-packet'
import type { Message } from '../../../../src/core/mdns/dns/messages.ts'
import { compressNames, restoreDots } from '../../../../src/io/mdns/name-encoding.ts'
import { packetFromMessage } from '../../../../src/io/mdns/packet-conversion.ts'

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

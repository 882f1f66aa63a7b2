import dnsPacket from 'dns-packet'
import type { Message } from '../../../../src/core/mdns/dns/messages.ts'
import { compressNames, restoreDots } from '../../../../src/io/mdns/name-encoding.ts'
import { packetFromMessage } from '../../../../src/io/mdns/packet-conversion.ts'

/** Encodes a message as it is sent. */
export function encoded(message: Message): Buffer {
  return compressNames(whole(message))
}

/** Encodes a message with uncompressed names. */
export function whole(message: Message): Buffer {
  const bytes = dnsPacket.encode(packetFromMessage(message))
  restoreDots(bytes)
  return bytes
}

import { describe, expect, it } from 'vitest'
import type { DatagramSource } from '../../../src/core/link.ts'
import { PeerAddresses } from '../../../src/core/presence/peers/peer-addresses.ts'

describe('the addresses of a peer', () => {
  it('are those of the newest eight copies of its record', () => {
    const addresses = new PeerAddresses()
    const names = Array.from({ length: 12 }, (_, i) => `eth${i}`)
    for (const [version, name] of names.entries()) {
      const address = `10.0.${version}.1`
      const source: DatagramSource = {
        interface: name,
        path: 'broadcast',
        address,
        port: 15353,
        onLink: true,
        own: false,
      }
      addresses.addCopy(source, [address], `signature ${version}`, version)
    }
    expect(addresses.all.map((each) => each.interface)).toEqual(names.slice(-8))
  })
})

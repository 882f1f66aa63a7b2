import { describe, expect, it } from 'vitest'
import type { DatagramSource } from '../../../src/core/link.ts'
import { PeerAddresses } from '../../../src/core/presence/peers/peer-addresses.ts'

function sourceAt(address: string, name = 'eth0', path: DatagramSource['path'] = 'broadcast'): DatagramSource {
  return { interface: name, path, address, port: 15353, onLink: true, own: false }
}

describe('the addresses of a peer', () => {
  it('are those of the newest eight copies of its record', () => {
    const addresses = new PeerAddresses()
    const names = Array.from({ length: 12 }, (_, i) => `eth${i}`)
    for (const [version, name] of names.entries()) {
      const address = `10.0.${version}.1`
      addresses.addCopy(sourceAt(address, name), [address], `signature ${version}`, version)
    }
    expect(addresses.all.map((each) => each.interface)).toEqual(names.slice(-8))
  })

  it('and its paths are replaced when they change, never changed themselves, and kept while they do not', () => {
    const addresses = new PeerAddresses()
    const [first, second] = [sourceAt('10.0.0.1'), sourceAt('10.0.0.2')]
    const seen: { all: unknown; copy: unknown }[] = []
    const texts = () => [addresses.all.map(({ address }) => address).join(), addresses.paths.map((on) => on.lastHeard)]
    const expectChange = (what: 'all' | 'paths' | 'both' | 'nothing', act: () => unknown, after: unknown) => {
      const { all, paths } = addresses
      for (const each of [all, paths]) seen.push({ all: each, copy: structuredClone(each) })
      act()
      expect(texts()).toEqual(after)
      expect(addresses.all === all).toBe(what === 'paths' || what === 'nothing')
      expect(addresses.paths === paths).toBe(what === 'all' || what === 'nothing')
    }
    expectChange('all', () => addresses.addCopy(first, ['10.0.0.1', '10.0.0.2'], 's', 1), ['10.0.0.1,10.0.0.2', []])
    expectChange('nothing', () => {}, ['10.0.0.1,10.0.0.2', []])
    expectChange('nothing', () => addresses.heard(sourceAt('10.0.0.3'), 1, true), ['10.0.0.1,10.0.0.2', []])
    expectChange('both', () => addresses.heard(second, 2, false), ['10.0.0.1,10.0.0.2', [2]])
    expectChange('both', () => addresses.heard(second, 3, true), ['10.0.0.2,10.0.0.1', [3]])
    expectChange('paths', () => addresses.heard(second, 4, true), ['10.0.0.2,10.0.0.1', [4]])
    expectChange('paths', () => addresses.heard(second, 5, false), ['10.0.0.2,10.0.0.1', [5]])
    expectChange('both', () => addresses.heard(first, 6, true), ['10.0.0.1,10.0.0.2', [6]])
    expectChange('all', () => addresses.addCopy(first, ['10.0.0.1'], 't', 2), ['10.0.0.1', [6]])
    expectChange('all', () => addresses.addCopy(sourceAt('10.1.0.1', 'eth1'), ['10.1.0.1'], 'u', 1), [
      '10.0.0.1,10.1.0.1',
      [6],
    ])
    expectChange('all', () => addresses.keepCopiesOf(2), ['10.0.0.1', [6]])
    expectChange('both', () => addresses.forgetInterface('eth0'), ['', []])
    addresses.addCopy(first, ['10.0.0.1'], 'v', 3)
    expectChange('all', () => addresses.dropCopies(), ['', []])
    for (const { all, copy } of seen) expect(all).toEqual(copy)
  })
})

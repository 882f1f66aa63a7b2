import { expect, test } from 'vitest'
import { noPeersReason, receiveFault } from '../../src/cli/no-peers.ts'
import type { Self } from '../../src/client/index.ts'
import { someSelf } from './some-peers.ts'

type OwnPath = Self['interfaces'][number]['paths'][number]

function selfWith(paths: OwnPath[]): Self {
  return { ...someSelf, interfaces: [{ name: 'eth0', addresses: [], paths }] }
}

test('no interface in use: names the interfaces that are left out, and why', () => {
  expect(noPeersReason({ ...someSelf, interfaces: [] })).toBe(
    'no peer can be heard: no network interface is in use (docker0: excluded by docker*) ' +
      "(to use one, start earshotd with --interface NAME; 'earshot status' shows all)",
  )
})

test('deaf on every path: suggests a firewall', () => {
  const self = selfWith([
    { path: 'broadcast', deaf: true },
    { path: 'multicast4', deaf: true },
  ])
  expect(receiveFault(self)).toMatch(/^this machine does not hear its own beacons: a firewall may drop UDP port 15353/)
})

test('sending fails on every path: names the error', () => {
  const self = selfWith([{ path: 'broadcast', deaf: false, fault: 'send EPERM' }])
  expect(receiveFault(self)).toMatch(/^no peer can be heard: sending on eth0 fails: send EPERM/)
})

test('one working path is enough: then there are no other peers', () => {
  expect(receiveFault(someSelf)).toBeUndefined()
  expect(noPeersReason(someSelf)).toMatch(/^no other peer is heard on eth0/)
  expect(receiveFault(selfWith([]))).toBeUndefined()
})

test('names with control characters stay on one line', () => {
  const leftOut = [{ name: 'a\nb', cause: 'excluded' as const, reason: '\u001b[31m' }]
  expect(noPeersReason({ ...someSelf, interfaces: [], leftOut })).not.toMatch(/\p{Cc}/u)
})

import { expect, test, vi } from 'vitest'
import { createIdentity } from '../../src/core/wire/identity.ts'
import { Discovery } from '../../src/daemon/discovery.ts'
import { Clock } from '../../src/io/system.ts'

test('mDNS is not started when the start is aborted while answers of peers still come', async () => {
  const discovery = new Discovery({
    identity: createIdentity(),
    incarnation: 1,
    profile: { name: 'kitchen', hostname: 'kitchen.lan', version: '1', services: [], attributes: {} },
    interval: 1000,
    budget: Number.POSITIVE_INFINITY,
    clock: new Clock(),
    net: { port: 15_397, group4: '239.255.41.1', group6: 'ff02::4141', include: ['lo'], exclude: undefined },
    mdns: { browse: [] },
  })
  let index = 0
  vi.spyOn(discovery.presence, 'index', 'get').mockImplementation(() => index++)
  const abort = new AbortController()
  const starting = discovery.startMdns(abort.signal)
  abort.abort()
  await starting
  expect(discovery.mdns).toBeUndefined()
})

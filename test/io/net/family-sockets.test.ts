import { randomInt } from 'node:crypto'
import { expect, test, vi } from 'vitest'
import { FamilySockets } from '../../../src/io/net/family-sockets.ts'
import { planIpv4 } from '../../../src/io/net/socket-plan.ts'

const LOOPBACK = {
  name: 'lo',
  mac: '',
  index: 1,
  ipv4: [{ address: '127.0.0.1', prefix: 8 }],
  ipv6: [],
  linkLocal: undefined,
}
/** More than a datagram can hold: the send fails, and its callback runs later. */
const TOO_LONG = Buffer.alloc(70_000)

async function openSockets() {
  const plan = planIpv4(LOOPBACK, {
    port: randomInt(20_000, 60_000),
    group4: '239.255.153.53',
    group6: 'ff12::153:53',
  })
  if (!plan) throw new Error('no plan')
  const failed = vi.fn()
  const handler = { received() {}, succeeded() {}, dropped() {}, changed() {}, closed() {}, failed }
  const sockets = new FamilySockets(plan, handler)
  await sockets.open()
  return { sockets, failed }
}

test('a datagram that cannot be sent is a failure', async () => {
  const { sockets, failed } = await openSockets()
  sockets.sendTo('127.0.0.1', 9, TOO_LONG)
  await vi.waitFor(() => expect(failed).toHaveBeenCalledWith('unicast', 'send 127.0.0.1', expect.any(Error)))
  await sockets.close()
})

test('a datagram that fails after the sockets were closed is none: nothing could end that failure', async () => {
  const { sockets, failed } = await openSockets()
  sockets.sendTo('127.0.0.1', 9, TOO_LONG)
  sockets.send('broadcast', TOO_LONG)
  await sockets.close()
  await new Promise((resolve) => setImmediate(resolve))
  expect(failed).not.toHaveBeenCalled()
})

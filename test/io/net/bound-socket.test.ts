import { randomInt } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { expect, test, vi } from 'vitest'
import { BoundSocket } from '../../../src/io/net/bound-socket.ts'

test('what cannot be opened says why, and can be once nothing is in the way', async () => {
  const port = randomInt(20_000, 60_000)
  const holder = createSocket('udp4')
  await new Promise<void>((resolve) => holder.bind(port, '127.0.0.1', resolve))
  const owner = { heard: vi.fn(), opened: vi.fn(), failed: vi.fn() }
  const socket = new BoundSocket({ family: 'ipv4', address: '127.0.0.1', port }, owner)
  for (let attempt = 1; attempt < 4; attempt++) {
    await socket.open()
    expect(socket.ready).toBe(false)
    expect(socket.error).toMatchObject({ code: 'EADDRINUSE' })
    expect(owner.failed).toHaveBeenCalledTimes(attempt)
  }
  await new Promise<void>((resolve) => holder.close(resolve))
  await Promise.all([socket.open(), socket.open()])
  expect(socket.ready).toBe(true)
  expect(socket.error).toBeUndefined()
  expect(owner.opened).toHaveBeenCalledTimes(1)
  await socket.close()
  await socket.close()
  expect(socket.ready).toBe(false)
})

test('a group that cannot be joined is a failure, and leaves nothing open', async () => {
  const owner = { heard: vi.fn(), opened: vi.fn(), failed: vi.fn() }
  const port = randomInt(20_000, 60_000)
  const join = { group: '239.255.153.53', interface: '192.0.2.99' }
  const socket = new BoundSocket({ family: 'ipv4', address: '127.0.0.1', port, join }, owner)
  await socket.open()
  expect(owner.failed).toHaveBeenCalledTimes(1)
  expect(owner.opened).not.toHaveBeenCalled()
  const holder = createSocket('udp4')
  await new Promise<void>((resolve) => holder.bind(port, '127.0.0.1', resolve))
  holder.close()
})

test('closing at once, and again, is fine', async () => {
  const owner = { heard: vi.fn(), opened: vi.fn(), failed: vi.fn() }
  const socket = new BoundSocket({ family: 'ipv4', address: '127.0.0.1', port: 0 }, owner)
  const opening = socket.open()
  const closing = socket.close()
  await Promise.all([opening, closing, socket.close()])
  socket.send(Buffer.from('x'), 9, '127.0.0.1', () => expect.unreachable())
  socket.rejoin()
  expect(owner.failed).not.toHaveBeenCalled()
})

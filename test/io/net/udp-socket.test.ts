import { randomInt } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { expect, test, vi } from 'vitest'
import { UdpSocket } from '../../../src/io/net/udp-socket.ts'

test('a socket that cannot be opened says why, and opens once the port is free', async () => {
  const port = randomInt(20_000, 60_000)
  const holder = createSocket('udp4')
  await new Promise<void>((resolve) => holder.bind(port, '127.0.0.1', resolve))
  const handler = { received: vi.fn(), opened: vi.fn(), failed: vi.fn() }
  const socket = new UdpSocket({ family: 'ipv4', address: '127.0.0.1', port }, handler)
  for (let attempt = 1; attempt < 4; attempt++) {
    await socket.open()
    expect(socket.ready).toBe(false)
    expect(socket.error).toMatchObject({ code: 'EADDRINUSE' })
    expect(handler.failed).toHaveBeenCalledTimes(attempt)
  }
  await new Promise<void>((resolve) => holder.close(resolve))
  await Promise.all([socket.open(), socket.open()])
  expect(socket.ready).toBe(true)
  expect(socket.error).toBeUndefined()
  expect(handler.opened).toHaveBeenCalledTimes(1)
  await socket.close()
  await socket.close()
  expect(socket.ready).toBe(false)
})

test('a group that cannot be joined is a failure, and leaves no socket open', async () => {
  const handler = { received: vi.fn(), opened: vi.fn(), failed: vi.fn() }
  const port = randomInt(20_000, 60_000)
  const join = { group: '239.255.153.53', interface: '192.0.2.99' }
  const socket = new UdpSocket({ family: 'ipv4', address: '127.0.0.1', port, join }, handler)
  await socket.open()
  expect(handler.failed).toHaveBeenCalledTimes(1)
  expect(handler.opened).not.toHaveBeenCalled()
  const holder = createSocket('udp4')
  await new Promise<void>((resolve) => holder.bind(port, '127.0.0.1', resolve))
  holder.close()
})

test('a socket may be closed while it opens, and twice', async () => {
  const handler = { received: vi.fn(), opened: vi.fn(), failed: vi.fn() }
  const socket = new UdpSocket({ family: 'ipv4', address: '127.0.0.1', port: 0 }, handler)
  const opening = socket.open()
  const closing = socket.close()
  await Promise.all([opening, closing, socket.close()])
  socket.send(Buffer.from('x'), 9, '127.0.0.1', () => expect.unreachable())
  socket.rejoin()
  expect(handler.failed).not.toHaveBeenCalled()
})

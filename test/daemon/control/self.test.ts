import { describe, expect, test } from 'vitest'
import { ask, FakePresence, idOf, startControl } from './fixtures.ts'

describe('the state of the daemon', () => {
  test('GET /v1/self', async () => {
    const presence = new FakePresence()
    presence.facts = {
      ...presence.facts,
      leftOut: [{ name: 'docker0', cause: 'excluded', pattern: 'docker*', reason: 'excluded' }],
      dropped: { unicast: 7, shared: 0 },
      faults: [{ interface: 'eth0', path: 'multicast6', message: 'no address' }],
    }
    const { socket, port } = await startControl(presence)
    const { status, body } = await ask({ socket }, '/v1/self')
    expect(status).toBe(200)
    expect(body).toMatchObject({
      id: idOf(31),
      epoch: 'e1',
      index: 0,
      pid: process.pid,
      startedAt: '2026-11-21T09:00:00.500Z',
      port: 15353,
      socket,
      http: `127.0.0.1:${port}`,
      leftOut: [{ name: 'docker0', cause: 'excluded', pattern: 'docker*', reason: 'excluded' }],
      counters: { received: { beat: 5 }, sent: { beat: 2 }, refused: {}, dropped: { unicast: 7, shared: 0 } },
      interfaces: [
        {
          name: 'eth0',
          addresses: [{ address: 'fe80::9%eth0', family: 'ipv6' }],
          paths: [
            { path: 'broadcast', deaf: false, lastEcho: '2026-11-21T09:01:01.000Z' },
            { path: 'multicast4', deaf: false },
            { path: 'multicast6', deaf: false, fault: 'no address' },
          ],
        },
      ],
    })
  })

  test('GET /healthz', async () => {
    const presence = new FakePresence()
    presence.change('peer-up', 1)
    const { socket } = await startControl(presence)
    expect((await ask({ socket }, '/healthz')).body).toEqual({ status: 'ok', peers: 1, epoch: 'e1' })
  })

  test.each([
    ['GET', '/v1/nothing?x=1', 'GET /v1/nothing'],
    ['POST', '/v1/nothing', 'POST /v1/nothing'],
    ['GET', '/', 'GET /'],
  ])('answers %s %s with a hint', async (method, path, named) => {
    const { socket } = await startControl()
    expect(await ask({ socket }, path, {}, method)).toMatchObject({
      status: 404,
      body: {
        statusCode: 404,
        code: 'EARSHOT_NO_SUCH_ROUTE',
        error: 'Not Found',
        message: expect.stringContaining(named),
      },
    })
  })

  test('does not show internal errors', async () => {
    const presence = new FakePresence()
    presence.describe = () => {
      throw new Error('secret')
    }
    const { socket } = await startControl(presence)
    const { status, body } = await ask({ socket }, '/v1/self')
    expect(body).toMatchObject({ statusCode: 500, code: 'EARSHOT_INTERNAL' })
    expect(status).toBe(500)
    expect(JSON.stringify(body)).not.toContain('secret')
  })
})

import { describe, expect, test } from 'vitest'
import { Earshot } from '../../../src/client/index.ts'
import { ask, FakePresence, Listener, openCatalogue, startControl } from './fixtures.ts'

async function running() {
  const presence = new FakePresence()
  presence.change('peer-up', 1, { name: 'kitchen' })
  await openCatalogue(presence)
  return await startControl(presence)
}

function names(listener: Listener): string[] {
  return listener.events.map(({ type, json }) => {
    const { name } = (json['peer'] ?? {}) as { name?: string }
    return name === undefined ? type : `${type} ${name}`
  })
}

describe('the daemon’s own peer', () => {
  test('is only in the event streams that ask for it', async () => {
    const { socket, presence } = await running()
    const withOwn = new Listener({ socket }, '/v1/events?state=1&self=1')
    const others = new Listener({ socket }, '/v1/events?state=1')
    await Promise.all([withOwn.untilType('sync'), others.untilType('sync')])
    presence.changeSelf('peer-update', { attributes: { status: 'busy' } })
    presence.change('peer-left', 1)
    await Promise.all([withOwn.untilType('peer-left'), others.untilType('peer-left')])
    expect(names(withOwn)).toEqual(['peer here', 'peer kitchen', 'sync', 'peer-update here', 'peer-left kitchen'])
    expect(names(others)).toEqual(['peer kitchen', 'sync', 'peer-left kitchen'])
    const filtered = new Listener({ socket }, '/v1/events?since=1&self=1&name=here')
    await filtered.untilType('sync')
    expect(names(filtered)).toEqual(['peer-update here', 'sync'])
  })

  test('ends only the blocking queries that ask for it', async () => {
    const { socket, presence } = await running()
    const others = ask({ socket }, '/v1/peers?since=1&wait=10m')
    const busy = ask({ socket }, '/v1/peers?self=1&since=1&wait=10m&attr.status=busy')
    const services = ask({ socket }, '/v1/services?self=1&since=1&wait=10m')
    // One more that waits as long, and is only then told of what it has missed.
    await ask({ socket }, '/v1/peers?self=1&since=1&wait=100ms')
    presence.catalogue.patchAttributes({ status: 'busy' })
    presence.changeSelf('peer-update')
    const { body, headers } = await busy
    expect(body).toMatchObject({ index: 2, peers: [{ name: 'here' }] })
    expect(headers.etag).toBe('W/"e1-2"')
    expect((await ask({ socket }, '/v1/peers?self=1&since=1')).status).toBe(200)
    presence.change('peer-update', 1, { services: [] })
    expect((await others).body).toMatchObject({ index: 3, peers: [{ name: 'kitchen' }] })
    expect((await services).body).toMatchObject({ index: 3, services: [] })
  })

  test('is followed by the client', async () => {
    const { socket, presence } = await running()
    const earshot = new Earshot({ socket })
    const changes = earshot.watch({ self: true, name: 'here' })
    expect((await changes.next()).value).toMatchObject({ type: 'peer-up', peer: { name: 'here' } })
    const busy = earshot.waitFor({ self: true, attributes: { status: 'busy' } })
    const next = changes.next()
    presence.catalogue.patchAttributes({ status: 'busy' })
    presence.changeSelf('peer-update')
    expect((await next).value).toMatchObject({ type: 'peer-update', peer: { attributes: { status: 'busy' } } })
    expect(await busy).toMatchObject([{ name: 'here' }])
    await changes.return()
  })
})

import { expect, it } from 'vitest'
import type { Self } from '../../src/shared/self-api.ts'
import { EARSHOTD } from '../installed.ts'
import { type Daemon, describeLab, type Host, Lab } from '../lab/index.ts'
import { start } from './daemons.ts'

/** Mounts a disk on the host that is full or read-only. */
async function disk(host: Host, path: string, options: string): Promise<string> {
  const fill = `! dd if=/dev/zero of=${path}/fill bs=1k 2>/dev/null`
  const script = `mkdir -p ${path} && mount -t tmpfs -o ${options} tmpfs ${path} && ${fill}`
  const { code, stderr } = await host.exec('sh', ['-c', script])
  expect(stderr).toBe('')
  expect(code).toBe(0)
  return path
}

async function files(host: Host, path: string): Promise<string[]> {
  return (await host.exec('ls', [path])).stdout.trim().split('\n')
}

const put = (daemon: Daemon, id: string, ttl = {}) =>
  daemon.call('PUT', `/v1/services/${id}`, { body: { type: 'http', port: 80, ...ttl } })

describeLab('a disk', () => {
  it('that is full or read-only at the start: the daemon runs, and rejects what it cannot store', async () => {
    await using lab = await Lab.create()
    const lan = await lab.network('lan')
    const [full, readOnly] = [await lab.host('full', [lan]), await lab.host('read-only', [lan])]
    const path = await disk(full, `${full.dir}/full/state`, 'size=16k')
    await disk(readOnly, `${readOnly.dir}/read-only/state`, 'ro')
    const [one, other] = await Promise.all([start(full), start(readOnly)])
    await Promise.all([
      one.waitFor((peers) => peers.some(({ name, state }) => name === 'read-only' && state === 'alive')),
      other.waitFor((peers) => peers.some(({ name, state }) => name === 'full' && state === 'alive')),
    ])
    expect((await one.self()).stateFault).toContain('ENOSPC')
    expect((await other.self()).stateFault).toContain('EROFS')
    expect((await full.cli('status')).stdout).toMatch(/^state-fault\tENOSPC/m)
    for (const daemon of [one, other]) {
      expect(await put(daemon, 'shop')).toMatchObject({ status: 507, body: { code: 'EARSHOT_NOT_KEPT' } })
      expect((await put(daemon, 'lent', { ttl: '1m' })).status).toBe(201)
      expect((await daemon.self()).services.map(({ id }) => id)).toEqual(['shop', 'lent'])
    }
    // Each failed file is logged once, and no partial file is left.
    expect(one.log.filter(({ msg }) => String(msg).startsWith('cannot read or write state file'))).toHaveLength(2)
    expect(await files(full, path)).toEqual(['fill'])
    // When there is space again, the daemon writes all files by itself.
    const { id } = await one.self()
    await full.exec('rm', [`${path}/fill`])
    await expect.poll(async () => (await one.self()).stateFault, { timeout: 20_000 }).toBeUndefined()
    expect(await files(full, path)).toEqual(['identity.json', 'registered.json'])
    await one.restart({ signal: 'SIGKILL' })
    const again: Self = await one.self()
    expect(again.id).toBe(id)
    expect(again.services.map((service) => service.id)).toEqual(['shop'])
  })

  it('that is full at the place of the socket: the daemon runs without a token file', async () => {
    await using lab = await Lab.create()
    const host = await lab.host('machine')
    const run = await disk(host, `${host.dir}/run`, 'size=16k')
    const places = ['--socket', `${run}/control.sock`, '--state-dir', `${host.dir}/state`, '--interface', 'lo']
    const daemon = await host.spawn(process.execPath, [EARSHOTD, ...places, '--log-format', 'json'])
    await daemon.waitForLine(/cannot write the token file/)
    await daemon.waitForLine(/"ready"/)
    const { stdout } = await host.exec('curl', ['-s', 'http://127.0.0.1:15353/healthz'])
    expect(JSON.parse(stdout)).toMatchObject({ status: 'ok' })
    expect(await daemon.kill('SIGTERM')).toEqual({ code: 0, signal: null })
  })

  it('contains all acknowledged changes when the daemon is killed, and removed files are written again', async () => {
    await using lab = await Lab.create()
    const host = await lab.host('machine', [await lab.network('lan')])
    const daemon = await start(host)
    const answered: number[] = []
    const keep = async (number: number) => {
      const body = { [`a${number}`]: number }
      if ((await daemon.call('PATCH', '/v1/self/attributes', { body })).status === 200) answered.push(number)
    }
    const calls = Array.from({ length: 200 }, (_, number) => keep(number).catch(() => {}))
    await expect.poll(() => answered.length, { interval: 1 }).toBeGreaterThan(20)
    await daemon.restart({ signal: 'SIGKILL' })
    await Promise.all(calls)
    const { attributes, id } = await daemon.self()
    expect(answered.filter((number) => attributes[`a${number}`] !== number)).toEqual([])
    await host.exec('rm', ['-r', `${daemon.dir}/state`])
    await daemon.process.waitForLine(/the state file was removed/, 20_000)
    // During a write, the directory contains a temporary file, too.
    await expect
      .poll(() => files(host, `${daemon.dir}/state`), { timeout: 20_000 })
      .toEqual(['identity.json', 'registered.json'])
    await daemon.restart({ signal: 'SIGKILL' })
    expect(await daemon.self()).toMatchObject({ id, attributes })
  })
})

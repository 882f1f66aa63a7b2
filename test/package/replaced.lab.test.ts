import { once } from 'node:events'
import { cp, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { Earshot } from '../../src/client/index.ts'
import { PACKAGE } from '../installed.ts'
import { describeLab, Lab } from '../lab/index.ts'
import { modulesOf } from './modules.ts'

describeLab('a daemon whose files were replaced before it loaded the API', () => {
  it('answers that it must be restarted, keeps running, and serves the API as soon as it finds its files', async () => {
    await using lab = await Lab.create()
    const host = await lab.host('one', [await lab.network('lan')])
    const copy = join(host.dir, 'earshot')
    await cp(PACKAGE, copy, { recursive: true })
    const commands = join(copy, 'dist/commands')
    const bundles = (await readdir(commands)).map((name) => join(commands, name))
    const app = bundles.find((path) => modulesOf(path).includes('src/daemon/control/app.ts')) ?? ''
    const socket = join(host.dir, 'control.sock')
    const args = ['--socket', socket, '--http', 'off', '--state-dir', join(host.dir, 'state'), '--log-format', 'json']
    const daemon = await host.spawn(process.execPath, [join(copy, 'bin/earshotd.cjs'), ...args])
    await daemon.waitForLine(/"msg":"ready"/)

    await rename(app, `${app}.gone`)
    const ls = () => host.exec(process.execPath, [join(copy, 'bin/earshot.cjs'), 'ls', '--self', '--socket', socket])
    const refused = await ls()
    expect(refused.stderr).toMatch(
      /cannot load the control API: Cannot find module '.*'; if earshot was updated, restart earshotd/,
    )
    expect(refused.code).toBe(1)
    await daemon.waitForLine(/"level":50.*"msg":"cannot load the control API"/)

    await rename(`${app}.gone`, app)
    expect(await ls()).toMatchObject({ code: 0, stdout: expect.stringContaining('one') })
  })
})

describeLab('a daemon whose files are removed while it runs', () => {
  it('lacks what it has not loaded, says so, and goes on', async () => {
    await using lab = await Lab.create()
    const host = await lab.host('one', [await lab.network('lan')])
    const [copy, socket, services, state] = ['earshot', 'control.sock', 'services', 'state'].map((name) => {
      return join(host.dir, name)
    }) as [string, string, string, string]
    await cp(PACKAGE, copy, { recursive: true })
    await mkdir(services)
    const args = ['--socket', socket, '--http', 'off', '--state-dir', state, '--services-dir', services]
    const daemon = await host.spawn(process.execPath, [join(copy, 'bin/earshotd.cjs'), ...args, '--log-format', 'json'])
    await daemon.waitForLine(/"msg":"ready"/)
    const earshot = new Earshot({ socket })
    await earshot.self()

    // As npm does when it installs another version: no file of this one is there any more.
    await rm(copy, { recursive: true })
    const files = [join(services, 'one.toml'), join(services, 'two.service')] as const
    await writeFile(files[0], 'type = "http"\nport = 80\n')
    await writeFile(files[1], '<service-group/>')
    const error = 'its parser is missing: earshot was updated or removed while earshotd ran (restart earshotd)'
    await expect.poll(async () => (await earshot.self()).badFiles).toEqual(files.map((file) => ({ file, error })))
    const [answer] = await once(request({ socketPath: socket, path: '/openapi.json' }).end(), 'response')
    answer.resume()
    expect(answer.statusCode).toBe(500)
    const beats = async () => (await earshot.self()).counters.sent['beat'] ?? 0
    const before = await beats()
    await expect.poll(beats).toBeGreaterThan(before)
  })
})

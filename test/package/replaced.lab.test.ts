import { cp, readdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
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

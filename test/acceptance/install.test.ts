import { join } from 'node:path'
import { expect, it } from 'vitest'
import { EARSHOT, EARSHOTD } from '../installed.ts'
import { describeLab, Lab } from '../lab/index.ts'

describeLab('a global installation of the package', () => {
  it('has working commands earshotd and earshot, also for users without privileges', async () => {
    await using lab = await Lab.create()
    const [host, other] = await lab.hosts(['installed', 'other'], [await lab.network('lan')])
    if (!host || !other) throw new Error('no hosts')
    const socket = join(host.dir, 'installed.sock')
    const env = { EARSHOT_SOCKET: socket, EARSHOT_STATE_DIR: join(host.dir, 'installed') }
    const daemon = await host.spawn(EARSHOTD, ['--http', 'off', '--log-format', 'json'], { env })
    await daemon.waitForLine(/"msg":"ready"/, 10_000)
    await other.daemon()
    await daemon.waitForLine(/"peer":"other".*"msg":"peer-up"/)
    const listed = await host.exec(EARSHOT, ['ls', '--json'], { env })
    expect(listed.stderr).toBe('')
    expect(JSON.parse(listed.stdout)).toMatchObject({ peers: [{ name: 'other', state: 'alive' }] })

    const nobody = ['--reuid=65534', '--regid=65534', '--clear-groups']
    for (const command of [EARSHOT, EARSHOTD]) {
      const version = await host.exec('setpriv', [...nobody, command, '--version'])
      expect(version).toMatchObject({ code: 0, stderr: '', stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) })
    }
  })
})

import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { describeLab, Lab } from '../lab/index.ts'

const run = promisify(execFile)

describeLab('a global installation of the package', () => {
  it('has working commands earshotd and earshot', async () => {
    const prefix = await mkdtemp(join(tmpdir(), 'earshot-install-'))
    try {
      // Without scripts: `dist` is already built, and other tests use it.
      const { stdout } = await run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', prefix])
      const [packed]: { filename: string }[] = JSON.parse(stdout)
      const tarball = join(prefix, packed?.filename ?? '')
      await run('npm', ['install', '--global', '--prefix', prefix, '--no-fund', '--no-audit', tarball])

      await using lab = await Lab.create()
      const [host, other] = await lab.hosts(['installed', 'other'], [await lab.network('lan')])
      if (!host || !other) throw new Error('no hosts')
      const socket = join(host.dir, 'installed.sock')
      const env = { EARSHOT_SOCKET: socket, EARSHOT_STATE_DIR: join(host.dir, 'installed') }
      const daemon = await host.spawn(join(prefix, 'bin/earshotd'), ['--http', 'off', '--log-format', 'json'], { env })
      await daemon.waitForLine(/"msg":"ready"/, 10_000)
      await other.daemon()
      await daemon.waitForLine(/"peer":"other".*"msg":"peer-up"/)
      const listed = await host.exec(join(prefix, 'bin/earshot'), ['ls', '--json'], { env })
      expect(listed.stderr).toBe('')
      expect(JSON.parse(listed.stdout)).toMatchObject({ peers: [{ name: 'other', state: 'alive' }] })
      const version = await host.exec(join(prefix, 'bin/earshot'), ['--version'])
      expect(version.stdout.trim()).toMatch(/^\d+\.\d+\.\d+$/)
    } finally {
      await rm(prefix, { recursive: true, force: true })
    }
  })
})

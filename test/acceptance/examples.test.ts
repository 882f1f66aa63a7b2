import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Earshot } from '../../src/client/index.ts'
import { PACKAGE } from '../installed.ts'
import { type Daemon, describeLab, type Host, Lab, type LabProcess } from '../lab/index.ts'
import { startAll, waitUntilAllAlive } from './daemons.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const EXAMPLES = join(ROOT, 'docs/examples')
const SERVICE = ['A "shop"', 'http', '8080']

describeLab('the examples', () => {
  let lab: Lab
  let host: Host
  let own: Daemon
  let other: Daemon
  beforeAll(async () => {
    lab = await Lab.create()
    const hosts = await lab.hosts(['here', 'there'], [await lab.network('lan')])
    const [first, second] = await startAll(hosts)
    if (!hosts[0] || !first || !second) throw new Error('no daemons')
    host = hosts[0]
    own = first
    other = second
    await waitUntilAllAlive([own, other])
  })
  afterAll(() => lab?.close())

  const offered = async () => {
    const { services } = await new Earshot({ socket: other.socket }).services({ peer: 'here' })
    return services.map(({ name, type, port }) => `${name} ${type} ${port}`)
  }

  /** Expects that the example publishes, reports another service, survives a restart of the daemon, and unpublishes. */
  async function testExample(example: LabProcess, up: RegExp, down: RegExp): Promise<void> {
    const there = new Earshot({ socket: other.socket })
    await expect.poll(offered, { timeout: 5000 }).toEqual(['A "shop" _http._tcp 8080'])
    for (const restarted of [false, true]) {
      if (restarted) {
        await own.restart({ signal: 'SIGKILL' })
        await waitUntilAllAlive([own, other])
      }
      const from = example.lines.items.length
      const service = await there.register({ id: 'web', name: 'Web', type: 'http', port: 80 })
      await example.waitForLine(up, 5000, from)
      await there.unpublish(service.id)
      await example.waitForLine(down, 5000, from)
      await expect.poll(offered, { timeout: 3000 }).toEqual(['A "shop" _http._tcp 8080'])
    }
    expect(example.stderr).toEqual([])
    expect(await example.kill('SIGTERM')).toEqual({ code: 0, signal: null })
    await expect.poll(offered, { timeout: 1000, interval: 10 }).toEqual([])
  }

  it('earshot.sh runs', async () => {
    await using example = await host.spawn(join(EXAMPLES, 'earshot.sh'), SERVICE, {
      env: { EARSHOT_SOCKET: own.socket },
    })
    await testExample(example, /"id":"web"/, /^\{"type":"service-down",.*"name":"there"/)
    const types = example.stdout.map((line) => JSON.parse(line).type)
    expect(types.filter((type) => type === 'sync').length).toBeGreaterThan(1)
  })

  it('earshot.py runs', async () => {
    await using example = await host.spawn(join(EXAMPLES, 'earshot.py'), SERVICE, {
      env: { EARSHOT_SOCKET: own.socket },
    })
    await testExample(example, /^\+ there \S+ 80$/, /^- there$/)
  })

  it('earshot.mts compiles and runs', async () => {
    const project = join(host.dir, 'project')
    mkdirSync(join(project, 'node_modules/@types'), { recursive: true })
    symlinkSync(PACKAGE, join(project, 'node_modules/earshot'))
    symlinkSync(join(ROOT, 'node_modules/@types/node'), join(project, 'node_modules/@types/node'))
    copyFileSync(join(EXAMPLES, 'earshot.mts'), join(project, 'earshot.mts'))
    // The default of `npm init`, in which the example must run, too.
    writeFileSync(join(project, 'package.json'), '{ "type": "commonjs" }')
    const compilerOptions = { target: 'ES2022', module: 'NodeNext', strict: true, types: ['node'], outDir: 'dist' }
    writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['earshot.mts'] }))
    execFileSync(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', project], { stdio: 'inherit' })
    const args = [join(project, 'dist/earshot.mjs'), ...SERVICE]
    await using example = await host.spawn(process.execPath, args, { env: { EARSHOT_SOCKET: own.socket } })
    await testExample(example, /^\+ there \S+ 80$/, /^- there$/)
  })
})

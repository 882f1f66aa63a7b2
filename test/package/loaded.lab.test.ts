import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { EARSHOT } from '../installed.ts'
import { describeLab, type Host, Lab } from '../lab/index.ts'
import { modulesOf, packageOf } from './modules.ts'

/** Writes the paths of all loaded bundles, and the names of Node's own modules, at the end of a process. */
const HOOK = `const vm = require('node:vm')
const paths = []
vm.Script = class extends vm.Script {
  constructor(text, options) {
    super(text, options)
    paths.push(options.filename)
  }
}
process.on('exit', () => require('node:fs').writeFileSync(process.env.LOADED, [...paths, ...process.moduleLoadList].join('\\n')))`

/** Packages and files that only rare starts and commands need. */
const ON_DEMAND = ['yargs', 'fast-xml-parser', 'smol-toml', 'pino-pretty']
const FILES_ON_DEMAND = ['src/daemon/control/operations/openapi.prebuilt.ts', 'src/cli/help.prebuilt.ts']

describeLab('what is loaded', () => {
  let lab: Lab
  let host: Host
  let env: Record<string, string>
  let report: string
  beforeAll(async () => {
    lab = await Lab.create()
    host = await lab.host('one', [await lab.network('lan')])
    const hook = join(host.dir, 'hook.cjs')
    report = join(host.dir, 'loaded')
    await writeFile(hook, HOOK)
    env = { NODE_OPTIONS: `--require=${hook}`, LOADED: report }
  })
  afterAll(() => lab?.close())

  /** What a process had loaded when it ended: own modules, packages, and modules of Node. */
  async function loaded(): Promise<{ own: string[]; packages: string[]; builtin: string[] }> {
    const lines = (await readFile(report, 'utf8')).split('\n')
    const modules = lines.filter((path) => path.includes('/dist/')).flatMap(modulesOf)
    const builtin = lines.flatMap((line) => /^NativeModule (.*)/.exec(line)?.[1] ?? [])
    const packages = new Set(modules.flatMap((module) => packageOf(module) ?? []))
    return { own: modules.filter((module) => module.startsWith('src/')), packages: [...packages].sort(), builtin }
  }

  async function loadedBy(...args: string[]): ReturnType<typeof loaded> {
    await host.exec(process.execPath, [EARSHOT, ...args], { env })
    return await loaded()
  }

  it.each([['--version'], ['--help'], ['ls', '--help'], ['completion']])(
    'by earshot %s %s: no package, and nothing that asks the daemon',
    async (...args) => {
      const { own, packages } = await loadedBy(...args)
      expect(packages).toEqual([])
      const prepared = args[0] === '--version' ? [] : ['src/cli/help.prebuilt.ts']
      expect(own.sort()).toEqual(
        ['src/cli/earshot.ts', 'src/cli/write-errors.ts', 'src/shared/version.prebuilt.ts', ...prepared].sort(),
      )
    },
  )

  it('by a daemon and by commands: nothing that is used rarely', async () => {
    const daemon = await host.daemon({ env })
    const ls = await loadedBy('ls', '--socket', daemon.socket)
    expect(ls.packages).toEqual(['http-parser-js', 'yargs-parser'])
    // Without flags nothing has to be parsed.
    env['EARSHOT_SOCKET'] = daemon.socket
    expect((await loadedBy('ls')).packages).toEqual(['http-parser-js'])
    delete env['EARSHOT_SOCKET']
    expect(ls.own).toContain('src/cli/ls.ts')
    expect(ls.own).not.toContain('src/cli/status.ts')

    await daemon.stop()
    const { own, packages } = await loaded()
    expect(packages).toEqual(expect.arrayContaining(['fastify', 'pino', 'bonjour-service']))
    expect(packages.filter((name) => ON_DEMAND.includes(name))).toEqual([])
    expect(own.filter((module) => FILES_ON_DEMAND.includes(module) || module.startsWith('src/client/'))).toEqual([])
  })

  it('by a daemon that nobody asks: not the API, nor modules of Node that take memory', async () => {
    await (await host.daemon({ env })).stop()
    const { own, packages, builtin } = await loaded()
    expect(builtin).toContain('dgram')
    expect(builtin.filter((name) => ['http', 'perf_hooks', 'internal/fs/streams'].includes(name))).toEqual([])
    expect(packages).not.toContain('fastify')
    expect(own).toContain('src/daemon/control/server.ts')
    expect(own).not.toContain('src/daemon/control/app.ts')
  })

  it('by a wrong command line: yargs, which explains it', async () => {
    expect((await loadedBy('no-such-command')).packages).toContain('yargs')
  })
})

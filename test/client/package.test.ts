import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'

const run = promisify(execFile)
const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const TSC = join(ROOT, 'node_modules/typescript/bin/tsc')

/** A project that has earshot installed, and these files. */
async function project(files: Record<string, string>): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'earshot-project-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  const modules = join(directory, 'node_modules')
  await mkdir(join(modules, '@types'), { recursive: true })
  await symlink(ROOT, join(modules, 'earshot'))
  await symlink(join(ROOT, 'node_modules/@types/node'), join(modules, '@types/node'))
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(directory, name)), { recursive: true })
    await writeFile(join(directory, name), text)
  }
  return directory
}

const USE = `
import { type Change, Earshot, EarshotError, type Peer, type Published, type Synced, type WatchOptions } from 'earshot'

export async function use(signal: AbortSignal): Promise<void> {
  const earshot = new Earshot({ timeout: 1000 })
  const { peers, index } = await earshot.peers({ service: 'http', state: ['alive'], attributes: { ready: true } }, { signal })
  const names: string[] = peers.map((peer: Peer) => peer.name)
  for await (const change of earshot.watch({ service: 'http' }, { signal })) {
    console.log(change.type, change.peer.name, change.present, names, index)
    if (change.type === 'service-up') console.log(change.service.port)
  }
  const told: AsyncGenerator<Change | Synced> = earshot.watch({}, { sync: true })
  await told.return(undefined)
  const options: WatchOptions = {}
  const either: AsyncGenerator<Change | Synced> = earshot.watch(undefined, options)
  await either.return(undefined)
  const types = ['http', 'osc'] as const
  const none = undefined as AbortSignal | undefined
  await earshot.peers({ service: types, name: types, state: ['alive', 'left'] as const, self: undefined }, { signal: none })
  await earshot.services({ type: types, peer: undefined }, { signal: none })
  await earshot.waitFor({ service: types, count: undefined }, { timeout: undefined, signal: none })
  await earshot.events({ name: types, since: undefined, state: undefined, signal: none }).return()
  await earshot.watch({ service: types, attributes: undefined }, { signal: none, onConnection: undefined }).return()
  await using service: Published = await earshot.publish({ name: 'shop', type: 'http', port: 8080 }, {
    onError: ({ code }) => console.log(code),
  })
  await service.update({ txt: { path: '/', load: 0.5 } })
  const { temperature }: Record<string, string | number | boolean> = await earshot.set({ temperature: 21.5 })
  const [first] = await earshot.waitFor({ service: 'http', count: 3 }, { timeout: 1000, signal })
  const { host, port } = await earshot.resolve('kitchen', { service: 'http', family: 'ipv4' })
  const rtt: number = await earshot.ping(first?.id ?? '', { signal })
  console.log(temperature, host, port, rtt, (await earshot.services({ type: 'http' })).services[0]?.peer.addresses)
  // @ts-expect-error the type is required
  await earshot.publish({ name: 'shop', port: 8080 })
  // @ts-expect-error sync is reported only with the option of that name
  for await (const change of earshot.watch()) if (change.type === 'sync') break
  throw new EarshotError('EARSHOT_EXAMPLE', 'so')
}
`

const OPTIONS = {
  target: 'ES2022',
  module: 'NodeNext',
  lib: ['ES2023'],
  types: ['node'],
  strict: true,
  exactOptionalPropertyTypes: true,
  noEmit: true,
  skipLibCheck: false,
}

test('the types compile in an application with the strictest settings', async () => {
  const config = JSON.stringify({ compilerOptions: OPTIONS, include: ['src'] })
  const files = { 'package.json': '{"type":"module"}', 'tsconfig.json': config, 'src/use.ts': USE }
  const { stdout } = await run(process.execPath, [TSC, '-p', await project(files)]).catch((error) => error)
  expect(stdout).toBe('')
})

test('the package can be imported by ES modules and required by CommonJS', async () => {
  const say = "console.log(typeof Earshot, new EarshotError('X', 'y').code)"
  const directory = await project({
    'module.mjs': `import { Earshot, EarshotError } from 'earshot'; ${say}`,
    'common.cjs': `const { Earshot, EarshotError } = require('earshot'); ${say}`,
  })
  for (const file of ['module.mjs', 'common.cjs']) {
    expect(await run(process.execPath, [join(directory, file)])).toEqual({ stdout: 'function X\n', stderr: '' })
  }
})

test('the package loads only its own files and modules of Node.js', async () => {
  // Hooks run in a thread of their own, whose console may lose lines when the process ends.
  const hooks = `
    import { writeSync } from 'node:fs'
    export async function resolve(specifier, context, next) {
      const resolved = await next(specifier, context)
      if (!resolved.url.startsWith('node:')) writeSync(1, resolved.url.replace(/.*\\/dist\\//, '') + '\\n')
      return resolved
    }`
  const directory = await project({
    'hooks.mjs': hooks,
    'main.mjs': `
      import { register } from 'node:module'
      register('./hooks.mjs', import.meta.url)
      await import('earshot')`,
  })
  const { stdout } = await run(process.execPath, [join(directory, 'main.mjs')])
  expect(stdout).toBe('client/index.js\n')
})

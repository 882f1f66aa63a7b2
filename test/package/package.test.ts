import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { rolldown } from 'rolldown'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { PACKAGE, TARBALL } from '../installed.ts'

const run = promisify(execFile)
const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const TSC = join(ROOT, 'node_modules/typescript/bin/tsc')
/** The largest size of the installed package, bytes. */
const MAX_BYTES = 4_000_000

/** A project of somebody else, into which npm has installed the packed package. */
let project: string
let npmOutput: string
beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), 'earshot-project-'))
  await writeFile(join(project, 'package.json'), '{ "name": "application", "version": "1.0.0" }')
  const { stdout } = await run('npm', ['install', '--offline', '--no-audit', TARBALL], { cwd: project })
  npmOutput = stdout
})
afterAll(() => rm(project, { recursive: true, force: true }))

/** Adds a file to the project, and returns its path. */
async function file(name: string, text: string): Promise<string> {
  const path = join(project, name)
  await writeFile(path, text)
  return path
}

async function filesOf(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => relative(directory, join(parentPath, name)))
}

test('the package adds one package of a few megabytes, which depends on no other', async () => {
  expect(npmOutput).toMatch(/added 1 package\b/)
  const { dependencies, optionalDependencies, peerDependencies } = JSON.parse(
    await readFile(join(PACKAGE, 'package.json'), 'utf8'),
  )
  expect({ ...dependencies, ...optionalDependencies, ...peerDependencies }).toEqual({})
  const sizes = await Promise.all((await filesOf(PACKAGE)).map(async (path) => (await stat(join(PACKAGE, path))).size))
  expect(sizes.reduce((sum, size) => sum + size)).toBeLessThan(MAX_BYTES)
})

test('the package has bundles, types and documents, and no other files', async () => {
  const expected = [
    /^(CHANGELOG\.md|LICENSE|README\.md|package\.json)$/,
    /^bin\/earshotd?\.cjs$/,
    /^dist\/LICENCES\.txt$/,
    /^dist\/client\/index\.js(\.map)?$/,
    /^dist\/commands\/[^/]+\.cjs$/,
    /^dist\/(client|core\/wire|shared)\/[^/]+\.d\.ts$/,
    /^docs\//,
    /^systemd\//,
  ]
  const files = await filesOf(PACKAGE)
  expect(files.filter((path) => !expected.some((pattern) => pattern.test(path)))).toEqual([])
})

test('the source map of the client has all sources in it', async () => {
  const client = join(PACKAGE, 'dist/client')
  expect(await readFile(join(client, 'index.js'), 'utf8')).toMatch(/\n\/\/# sourceMappingURL=index\.js\.map\s*$/)
  const { sources, sourcesContent } = JSON.parse(await readFile(join(client, 'index.js.map'), 'utf8'))
  expect(sources).toContain('../../src/client/earshot.ts')
  expect(sourcesContent).toHaveLength(sources.length)
  for (const [index, source] of sources.entries()) {
    if (!source.endsWith('.prebuilt.ts')) {
      expect(sourcesContent[index]).toBe(await readFile(join(ROOT, 'dist/client', source), 'utf8'))
    }
  }
})

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
  lib: ['ES2023'],
  types: ['node'],
  strict: true,
  exactOptionalPropertyTypes: true,
  noEmit: true,
  skipLibCheck: false,
}

describe('the types compile in an application with the strictest settings', () => {
  beforeAll(async () => {
    await mkdir(join(project, 'node_modules/@types'))
    await symlink(join(ROOT, 'node_modules/@types/node'), join(project, 'node_modules/@types/node'))
  })

  test.each([
    ['NodeNext', 'NodeNext', 'use.mts'],
    ['Node16', 'Node16', 'use.mts'],
    ['ESNext', 'Bundler', 'use.ts'],
  ])('with module %s and resolution %s', async (module, moduleResolution, name) => {
    const use = await file(name, USE)
    const config = await file(
      `tsconfig.${module}.json`,
      JSON.stringify({ compilerOptions: { ...OPTIONS, module, moduleResolution }, files: [use] }),
    )
    const { stdout } = await run(process.execPath, [TSC, '-p', config]).catch((error) => error)
    expect(stdout).toBe('')
  })
})

describe('an application can load the client', () => {
  const say = "console.log(typeof Earshot, new EarshotError('X', 'y').code)"
  const expected = { stdout: 'function X\n', stderr: '' }

  test.each([
    ['import', 'static.mjs', `import { Earshot, EarshotError } from 'earshot'; ${say}`],
    ['import()', 'dynamic.mjs', `const { Earshot, EarshotError } = await import('earshot'); ${say}`],
    ['import() in CommonJS', 'dynamic.cjs', `import('earshot').then(({ Earshot, EarshotError }) => { ${say} })`],
    ['require()', 'required.cjs', `const { Earshot, EarshotError } = require('earshot'); ${say}`],
  ])('with %s', async (_way, name, text) => {
    expect(await run(process.execPath, [await file(name, text)])).toEqual(expected)
  })

  test.each(['esm', 'cjs'] as const)('from a bundle of its own, in the format %s', async (format) => {
    const input = await file('main.mjs', `import { Earshot, EarshotError } from 'earshot'; ${say}`)
    await using bundle = await rolldown({ input, cwd: project, platform: 'node' })
    const path = join(project, `bundle-${format}.${format === 'esm' ? 'mjs' : 'cjs'}`)
    await bundle.write({ file: path, format })
    await rename(join(project, 'node_modules/earshot'), join(project, 'node_modules/hidden'))
    try {
      expect(await run(process.execPath, [path])).toEqual(expected)
    } finally {
      await rename(join(project, 'node_modules/hidden'), join(project, 'node_modules/earshot'))
    }
  })

  test('and it loads one file, and modules of Node.js', async () => {
    // Hooks run in a thread of their own, whose console may lose lines when the process ends.
    const hooks = `
      import { writeSync } from 'node:fs'
      export async function resolve(specifier, context, next) {
        const resolved = await next(specifier, context)
        if (!resolved.url.startsWith('node:')) writeSync(1, resolved.url.replace(/.*\\/dist\\//, '') + '\\n')
        return resolved
      }`
    await file('hooks.mjs', hooks)
    const main = `
      import { register } from 'node:module'
      register('./hooks.mjs', import.meta.url)
      await import('earshot')`
    expect((await run(process.execPath, [await file('hooked.mjs', main)])).stdout).toBe('client/index.js\n')
  })
})

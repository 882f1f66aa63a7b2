import { readdirSync, readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { PACKAGE } from '../installed.ts'
import { modulesOf, packagesOf } from './modules.ts'

const COMMANDS = join(PACKAGE, 'dist/commands')
const bundles = readdirSync(COMMANDS).map((name) => join(COMMANDS, name))
const modules = bundles.flatMap(modulesOf)

test('each module is in one bundle only', () => {
  expect(modules).toContain('src/cli/earshotd.ts')
  expect(modules).toContain('node_modules/fastify/fastify.js')
  expect(modules.length).toBe(new Set(modules).size)
})

test('no bundle has a schema or a schema compiler', () => {
  expect(packagesOf(bundles)).not.toContain('typebox')
  expect(modules.filter((path) => /^node_modules\/ajv\/(?!dist\/runtime\/)/.test(path))).toEqual([])
  expect(modules.filter((path) => /^src\/.*(schema|shared\/(self-)?api)\.ts$/.test(path))).toEqual([])
})

test('no bundle has a package that Fastify and Pino would load for features that earshot does not use', () => {
  expect(
    packagesOf(bundles).filter((name) => /^@fastify\/.*-compiler$|^light-my-request$|^thread-stream$/.test(name)),
  ).toEqual([])
})

test('no bundle loads TLS, with which HTTPS and HTTP/2 take memory', () => {
  const loading = bundles.filter((path) => /\brequire\("(node:)?(https|http2|tls)"\)/.test(readFileSync(path, 'utf8')))
  expect(loading).toEqual([])
})

test('the bundles of the daemon are ASCII, so that V8 keeps one byte for each character', () => {
  // The pretty log is loaded on a terminal only. Its template literals with tags cannot be escaped.
  const always = bundles.filter((path) => !/\/pretty-line-[^/]+$/.test(path))
  expect(always.filter((path) => readFileSync(path).some((byte) => byte > 0x7f))).toEqual([])
})

test('every bundle loads only files of the package and modules of Node.js', () => {
  const loaded = bundles.flatMap((path) => {
    const calls = readFileSync(path, 'utf8').matchAll(/\brequire\("([^"]+)"\)/g)
    return [...calls].flatMap(([, name = '']) => (name.startsWith('./') || isBuiltin(name) ? [] : [name]))
  })
  expect(loaded).toEqual([])
})

test('no bundle loads a program, which would run it', () => {
  const loading = bundles.filter((path) => /\brequire\("\.\/earshotd?\.cjs"\)/.test(readFileSync(path, 'utf8')))
  expect(loading).toEqual([])
})

test('LICENCES.txt has a licence text for every package with code in a bundle', () => {
  const licences = readFileSync(join(PACKAGE, 'dist/LICENCES.txt'), 'utf8').split(/^─+$/m)
  const named = licences.map((text) => /^\s*(\S+) \d\S* \([^)]+\)$/m.exec(text)?.[1])
  expect([...new Set(named)].sort()).toEqual(packagesOf(bundles))
  // The shortest licence, ISC, has 700 characters.
  expect(licences.filter((text) => text.length < 500 || !/copyright|licen[cs]e/i.test(text))).toEqual([])
})

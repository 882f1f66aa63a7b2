import { expect, test } from 'vitest'
import { BundleLoader } from '../../src/cli/bundle-loader.ts'

/** A loader of these bundles, which may change later. */
function loaderOf(bundles: Readonly<Record<string, string>>): BundleLoader {
  const text = (name: string) => {
    const found = bundles[name]
    if (found === undefined) throw new Error(`no ${name}`)
    return found
  }
  return new BundleLoader({ directory: '/bundles', text, code: () => undefined }, () => false)
}

test('runs each bundle once, and gives it what CommonJS gives to a module', () => {
  const loader = loaderOf({
    'main.cjs':
      'exports.seen = [require("./part.cjs"), require("./part.cjs"), require("node:path").sep, __filename, __dirname]',
    'part.cjs': 'globalThis.runs = (globalThis.runs ?? 0) + 1; module.exports = globalThis.runs',
  })
  expect(loader.load('main.cjs')).toEqual({ seen: [1, 1, '/', '/bundles/main.cjs', '/bundles'] })
  expect(loader.load('part.cjs')).toBe(1)
})

test('two bundles may require each other', () => {
  const loader = loaderOf({
    'one.cjs': 'exports.name = "one"; exports.names = require("./two.cjs").names',
    'two.cjs': 'exports.names = [require("./one.cjs").name, "two"]',
  })
  expect(loader.load('one.cjs')).toEqual({ name: 'one', names: ['one', 'two'] })
})

test('a bundle that fails while it runs is run again when it is loaded again', () => {
  const bundles: Record<string, string> = { 'main.cjs': 'exports.part = require("./part.cjs").name' }
  const loader = loaderOf(bundles)
  for (let i = 0; i < 2; i++) expect(() => loader.load('main.cjs')).toThrow('no part.cjs')
  bundles['part.cjs'] = 'exports.name = "part"'
  expect(loader.load('main.cjs')).toEqual({ part: 'part' })
})

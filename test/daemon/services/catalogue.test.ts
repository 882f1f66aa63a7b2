import { readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { InvalidRecord } from '../../../src/core/wire/record.ts'
import type { AttributeValue } from '../../../src/core/wire/record-schema.ts'
import {
  AttributeTaken,
  BadRequest,
  NoSuchService,
  NotKept,
  RecordTooLarge,
  ServiceTaken,
} from '../../../src/shared/errors.ts'
import { temporaryDirectory } from '../../temporary-directory.ts'
import { openCatalogue, service } from './fixtures.ts'

const ids = ({ services }: { services: { id: string }[] }) => services.map(({ id }) => id)

async function directoryOf(files: Record<string, string>): Promise<string> {
  const directory = await temporaryDirectory()
  for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text)
  return directory
}

/** A service file of about so many bytes in the record. */
const toml = (port: number, bytes = 0) =>
  [
    'type = "http"',
    `port = ${port}`,
    '[txt]',
    ...Array.from({ length: bytes / 250 }, (_, n) => `k${n} = "${'x'.repeat(240)}"`),
  ].join('\n')

describe('services over the API', () => {
  test('are published when they are added, changed and removed', async () => {
    const { catalogue, published } = await openCatalogue()
    expect(catalogue.put('shop', service('other', { port: 1 }))).toEqual({
      created: true,
      needsSave: true,
      service: { ...service('shop', { name: 'other', port: 1 }), source: 'api', file: undefined, expiresAt: undefined },
    })
    expect(catalogue.put('shop', service('shop')).created).toBe(false)
    catalogue.put('shop', service('shop'))
    expect(published).toEqual([
      { services: [service('shop', { name: 'other', port: 1 })], attributes: {} },
      { services: [service('shop')], attributes: {} },
    ])
    catalogue.remove('shop')
    expect(published.at(-1)).toEqual({ services: [], attributes: {} })
    expect(() => catalogue.remove('shop')).toThrow(NoSuchService)
  })

  test('with a ttl are removed unless renewed', async () => {
    const { catalogue, published, until, notices } = await openCatalogue()
    const { service: own } = catalogue.put('shop', service('shop'), 300)
    expect(own.expiresAt).toBe(1300)
    const start = performance.now()
    catalogue.put('shop', service('shop'), 600)
    // A renewal publishes nothing.
    expect(published).toHaveLength(1)
    await until(() => notices.length > 0)
    expect(published.at(-1)?.services).toEqual([])
    expect(performance.now() - start).toBeGreaterThan(590)
    expect(notices).toEqual([{ type: 'expired', id: 'shop' }])
  })

  test('stay when put again without a ttl', async () => {
    const { catalogue, until } = await openCatalogue()
    catalogue.put('shop', service('shop'), 50)
    catalogue.put('shop', service('shop'))
    catalogue.put('lent', service('lent'), 100)
    await until(() => catalogue.get('lent') === undefined)
    expect(catalogue.get('shop')?.expiresAt).toBeUndefined()
  })

  test('do not take the ids of others', async () => {
    const servicesDir = [await directoryOf({ 'web.toml': toml(1) })]
    const { catalogue } = await openCatalogue({ servicesDir, services: [service('osc')] })
    expect(() => catalogue.put('osc', service('osc'))).toThrow(ServiceTaken)
    expect(() => catalogue.remove('osc')).toThrow("service 'osc' is set by the config file (change it there")
    expect(() => catalogue.put('web', service('web'))).toThrow(`is set by ${servicesDir}/web.toml (change it there`)
    expect(catalogue.list().map(({ id, source }) => `${id} ${source}`)).toEqual(['osc config', 'web file'])
  })

  test('that do not fit into the record change nothing', async () => {
    const { catalogue, published } = await openCatalogue({}, 1000)
    catalogue.put('shop', service('shop'))
    const large = service('shop', { txt: { a: 'x'.repeat(1000) } })
    expect(() => catalogue.put('shop', large)).toThrow(/^the record has 1\d{3} bytes, and the limit is 1000 \(/)
    expect(() => catalogue.put('new', large, 50)).toThrow(RecordTooLarge)
    expect(() => catalogue.patchAttributes({ a: 'x'.repeat(1000) })).toThrow(RecordTooLarge)
    expect([published.length, catalogue.get('shop'), catalogue.get('new'), catalogue.attributes]).toMatchObject([
      1,
      service('shop'),
      undefined,
      {},
    ])
  })
})

describe('attributes', () => {
  test("override the config file's, which return when the override is removed", async () => {
    const { catalogue, published } = await openCatalogue({ attributes: { room: 'kitchen', floor: 1 } })
    expect(catalogue.patchAttributes({ floor: 2, open: true, gone: null })).toEqual({
      room: 'kitchen',
      floor: 2,
      open: true,
    })
    expect(() => catalogue.patchAttributes({ open: null, room: null })).toThrow(AttributeTaken)
    expect(catalogue.attributes).toMatchObject({ open: true })
    expect(catalogue.patchAttributes({ floor: null, open: null })).toEqual({ room: 'kitchen', floor: 1 })
    expect(published.map(({ attributes }) => attributes['floor'])).toEqual([1, 2, 1])
  })

  test.each<[string, unknown]>([
    ['', 1],
    ['a b', 1],
    ['__proto__', 'x'],
    ['é', 1],
    ['x'.repeat(65), 1],
    ['a', Number.NaN],
    ['a', Number.POSITIVE_INFINITY],
    ['a', 'x'.repeat(1025)],
    ['a', {}],
  ])('%j: %j is refused by its name', async (key, value) => {
    const { catalogue, published } = await openCatalogue()
    const patch = Object.fromEntries([
      ['good', 1],
      [key, value as AttributeValue],
    ])
    expect(() => catalogue.patchAttributes(patch)).toThrow(BadRequest)
    expect(() => catalogue.patchAttributes(patch)).toThrow(`attribute ${JSON.stringify(key)}: expected`)
    expect(published).toEqual([])
  })

  test('any sequence of patches has the result of RFC 7396, also after a restart', async () => {
    const key = fc.stringMatching(/^[a-d]$/)
    const value = fc.oneof(
      fc.constant(null),
      fc.boolean(),
      fc.string({ maxLength: 5 }),
      fc.double({ noNaN: true, noDefaultInfinity: true, min: 0 }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(fc.dictionary(key, value, { maxKeys: 4 }), { maxLength: 10 }), async (patches) => {
        const { catalogue, stateDir } = await openCatalogue()
        const expected: Record<string, unknown> = {}
        for (const patch of patches) {
          catalogue.patchAttributes(patch)
          for (const [key, value] of Object.entries(patch)) {
            if (value === null) delete expected[key]
            else expected[key] = value
          }
          expect(catalogue.attributes).toEqual(expected)
        }
        await catalogue.close()
        expect((await openCatalogue({ stateDir })).catalogue.attributes).toEqual(expected)
      }),
      { numRuns: 30 },
    )
  })

  test('1,000 patches cause few writes', async () => {
    const { catalogue, stateDir, published } = await openCatalogue()
    const file = join(stateDir, 'registered.json')
    const written = async () => (await stat(file, { bigint: true }).catch(() => undefined))?.ino
    const writes = new Set<bigint | undefined>()
    const began = performance.now()
    for (let n = 0; n < 1000; n++) {
      catalogue.patchAttributes({ temperature: n })
      if (n % 100 === 99) writes.add(await written())
    }
    const seconds = (performance.now() - began) / 1000
    expect(writes.size).toBeLessThanOrEqual(2 + seconds)
    expect(published).toHaveLength(1000)
    await catalogue.saved()
    expect(JSON.parse(await readFile(join(stateDir, 'registered.json'), 'utf8')).attributes).toEqual({
      temperature: 999,
    })
  })
})

describe('a restart', () => {
  test('keeps attributes, and services without a ttl', async () => {
    const { catalogue, stateDir } = await openCatalogue({ attributes: { floor: 1 } })
    catalogue.put('shop', service('shop', { txt: { emoji: '🛒\n\0' } }))
    catalogue.put('gone', service('gone'))
    catalogue.put('lent', service('lent'), 60_000)
    catalogue.put('was-lent', service('was-lent'), 60_000)
    catalogue.put('was-lent', service('was-lent'))
    catalogue.put('now-lent', service('now-lent'))
    catalogue.put('now-lent', service('now-lent'), 60_000)
    catalogue.patchAttributes({ status: 'idle', floor: 2 })
    await catalogue.saved()
    catalogue.remove('gone')
    await catalogue.close()
    const again = await openCatalogue({ stateDir, attributes: { floor: 1 } })
    expect(again.published.at(-1)).toEqual({
      services: [service('shop', { txt: { emoji: '🛒\n\0' } }), service('was-lent')],
      attributes: { status: 'idle', floor: 2 },
    })
  })

  test('finds a service that was saved, without closing', async () => {
    const { catalogue, stateDir } = await openCatalogue()
    catalogue.put('shop', service('shop'))
    await catalogue.saved()
    expect((await openCatalogue({ stateDir })).catalogue.list().map(({ id }) => id)).toEqual(['shop'])
  })

  test('does not restore what conflicts with the config file, and reports it', async () => {
    const { catalogue, stateDir } = await openCatalogue()
    catalogue.put('shop', service('shop'))
    catalogue.put('large', service('large', { txt: { a: 'x'.repeat(250) } }))
    catalogue.put('osc', service('osc'))
    await catalogue.close()
    const again = await openCatalogue({ stateDir, services: [service('shop', { port: 9 })] }, 300)
    expect(again.catalogue.list().map(({ id, source }) => `${id} ${source}`)).toEqual(['shop config', 'osc api'])
    expect(again.notices).toMatchObject([
      { type: 'not-restored', what: "service 'shop'", reason: expect.stringContaining('the config file') },
      { type: 'not-restored', what: "service 'large'", reason: expect.stringContaining('the limit is 300') },
    ])
  })

  test.each(['{', '[]', '{"services": [{"id": "x"}], "attributes": {}}', ''])(
    'sets a damaged file %j aside and goes on',
    async (text) => {
      const stateDir = await directoryOf({ 'registered.json': text })
      const { catalogue, notices } = await openCatalogue({ stateDir })
      const file = join(stateDir, 'registered.json')
      expect(notices).toEqual([{ type: 'set-aside', file, to: `${file}.damaged-1`, reason: expect.any(String) }])
      expect(await readFile(`${file}.damaged-1`, 'utf8')).toBe(text)
      catalogue.put('shop', service('shop'))
      await catalogue.saved()
      expect(ids(JSON.parse(await readFile(file, 'utf8')))).toEqual(['shop'])
    },
  )

  test('finds everything for which saved() has resolved, without closing', async () => {
    const { catalogue, stateDir } = await openCatalogue()
    catalogue.put('now-lent', service('now-lent'))
    await catalogue.saved()
    expect(catalogue.put('now-lent', service('now-lent'), 60_000).needsSave).toBe(true)
    await catalogue.saved()
    expect(catalogue.put('now-lent', service('now-lent'), 60_000).needsSave).toBe(false)
    catalogue.put('shop', service('shop'))
    catalogue.patchAttributes({ a: 1 })
    await catalogue.saved()
    const again = await openCatalogue({ stateDir })
    expect(ids({ services: again.catalogue.list() })).toEqual(['shop'])
    expect(again.catalogue.attributes).toEqual({ a: 1 })
  })

  test('finds the changes of 200 concurrent callers, which share few writes', async () => {
    const { catalogue, stateDir } = await openCatalogue()
    const file = join(stateDir, 'registered.json')
    const writes = new Set<number>()
    const call = async (number: number) => {
      catalogue.patchAttributes({ [`a${number % 50}`]: number })
      await catalogue.saved()
      writes.add((await stat(file)).mtimeMs)
      expect(JSON.parse(await readFile(file, 'utf8')).attributes[`a${number % 50}`]).toBeGreaterThanOrEqual(number)
    }
    await Promise.all(Array.from({ length: 200 }, (_, number) => call(number)))
    expect(writes.size).toBeLessThanOrEqual(2)
  })

  test('a directory that cannot be written is logged once, is an error for every caller, and is tried again', async () => {
    const { catalogue, stateDir, notices } = await openCatalogue()
    const file = join(stateDir, 'registered.json')
    await rm(stateDir, { recursive: true })
    await writeFile(stateDir, '')
    catalogue.put('shop', service('shop'))
    await expect(catalogue.saved()).rejects.toThrow(NotKept)
    catalogue.put('more', service('more'))
    await expect(catalogue.saved()).rejects.toThrow(
      `the change is in effect, but it is not saved, because ${file} cannot be written`,
    )
    // Nothing has changed since, and it is no more kept than before.
    await expect(catalogue.saved()).rejects.toThrow(NotKept)
    expect(notices).toMatchObject([{ type: 'not-saved', file }])
    expect(catalogue.fault).toBe('it is not a directory')
    await rm(stateDir)
    await catalogue.saved()
    expect(notices.at(-1)).toEqual({ type: 'saved-again', file })
    expect(catalogue.fault).toBeUndefined()
    expect(ids(JSON.parse(await readFile(file, 'utf8')))).toEqual(['shop', 'more'])
  })

  test('a directory that is removed is created again before saved() resolves', async () => {
    const { catalogue, stateDir, notices } = await openCatalogue()
    const file = join(stateDir, 'registered.json')
    catalogue.put('shop', service('shop'))
    await catalogue.saved()
    await rm(stateDir, { recursive: true })
    catalogue.put('shop', service('shop'))
    await catalogue.saved()
    expect(ids(JSON.parse(await readFile(file, 'utf8')))).toEqual(['shop'])
    expect(notices).toEqual([{ type: 'was-gone', file }])
  })
})

describe('service files', () => {
  test('with an id that is taken are reported with its owner, and used when the id is free', async () => {
    const directory = await directoryOf({ 'a.toml': toml(1), 'b.toml': `id = "a"\n${toml(2)}`, 'osc.toml': toml(3) })
    const { catalogue, notices, until } = await openCatalogue({ servicesDir: [directory], services: [service('osc')] })
    const at = (name: string) => join(directory, name)
    const taken = (name: string, id: string, owner: string) => {
      return { file: at(name), error: `its id '${id}' is taken by ${owner} (give it another id)` }
    }
    const clashes = [taken('b.toml', 'a', at('a.toml')), taken('osc.toml', 'osc', 'the config file')]
    expect(catalogue.badFiles).toEqual(clashes)

    catalogue.put('later', service('later'))
    await writeFile(at('later.toml'), toml(4))
    await until(() => catalogue.badFiles.length === 3)
    const later = taken('later.toml', 'later', 'a program over the API')
    expect(catalogue.badFiles).toContainEqual(later)
    catalogue.remove('later')
    expect(catalogue.get('later')?.port).toBe(4)

    await rm(at('a.toml'))
    await until(() => catalogue.get('a')?.port === 2)
    expect(notices).toEqual([
      ...[...clashes, later].map((bad) => ({ type: 'bad-file', ...bad })),
      { type: 'good-file', file: at('later.toml') },
      { type: 'good-file', file: at('b.toml') },
    ])
  })

  test('that do not fit are left out: the largest new ones first, and none that is published', async () => {
    const directory = await directoryOf({ 'b.toml': toml(2, 2500), 'c.toml': toml(3, 1000), 'd.toml': toml(4, 500) })
    const { catalogue, until, published, notices } = await openCatalogue({ servicesDir: [directory] }, 2500)
    expect(published.map(ids)).toEqual([['c', 'd']])
    expect(catalogue.badFiles).toEqual([
      { file: join(directory, 'b.toml'), error: expect.stringMatching(/^the record has no room for its 2\d{3} bytes/) },
    ])
    await writeFile(join(directory, 'a.toml'), toml(1, 1000))
    await until(() => catalogue.badFiles.length === 2)
    catalogue.patchAttributes({ load: 0.5 })
    expect(ids({ services: catalogue.list() })).toEqual(['c', 'd'])
    await rm(join(directory, 'c.toml'))
    await until(() => catalogue.get('a') !== undefined)
    expect(notices.map(({ type }) => type)).toEqual(['bad-file', 'bad-file', 'good-file'])
  })

  test('by the thousand are read up to a limit, reported in few lines, and cheap to look at again', async () => {
    const files = Array.from({ length: 1000 }, (_, n) => [`f${String(n).padStart(4, '0')}.toml`, toml(n)] as const)
    const directory = await directoryOf(Object.fromEntries(files))
    let attempts = 0
    let published: string[] = []
    const { catalogue, notices } = await openCatalogue({
      servicesDir: [directory],
      publish: (content) => {
        attempts++
        const bytes = 1200 + Buffer.byteLength(JSON.stringify(content))
        if (bytes > 16 * 1024) throw new InvalidRecord(`the record has ${bytes} bytes`, bytes)
        published = ids(content)
      },
    })
    expect(attempts).toBeLessThan(30)
    expect(published.length).toBeGreaterThan(100)
    const [first, ...others] = catalogue.badFiles
    expect(first).toEqual({
      file: directory,
      error: 'only the first 256 of 1000 service files are read: the limit for all directories is 256',
    })
    expect(others).toHaveLength(256 - published.length)
    expect(notices).toHaveLength(catalogue.badFiles.length)
    // Files written a moment ago may be looked at once more; then nothing is done until something changes.
    let before = attempts
    await delay(1200)
    if (attempts !== before) {
      before = attempts
      await delay(1200)
    }
    expect(attempts).toBe(before)
    expect(attempts).toBeLessThan(45)
    // Room that becomes free is used.
    catalogue.patchAttributes({ a: 1 })
    await vi.waitFor(() => expect(attempts).toBeGreaterThan(before + 1), 5000)
    expect(notices).toHaveLength(catalogue.badFiles.length)
  })
})

import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { OwnService, ServiceFile } from '../../../src/daemon/services/own-services.ts'
import { mergeFiles } from '../../../src/daemon/services/own-services.ts'
import { service } from './fixtures.ts'

const id = fc.constantFrom('a', 'b', 'c', 'd', 'e')
const serviceIds = fc.uniqueArray(id, { minLength: 1, maxLength: 3 })
const content = fc.oneof(
  serviceIds.map((ids) => ({ services: ids.map((id) => service(id)) })),
  fc.constant({ error: 'bad' }),
)
const files = fc
  .array(content, { maxLength: 6 })
  .map((all) => all.map((each, n): ServiceFile => ({ file: `/${n}`, ...each })))
const others = fc
  .uniqueArray(id, { maxLength: 2 })
  .map((ids) =>
    ids.map((id): OwnService => ({ ...service(id), source: 'config', file: undefined, expiresAt: undefined })),
  )

test('every id has one owner, every file is used whole or bad, and none is bad without a reason', () => {
  fc.assert(
    fc.property(others, files, fc.constantFrom('/0', '/1'), (others, files, unwanted) => {
      const { services, bad } = mergeFiles(others, files, new Map([[unwanted, 'no room']]))
      const all = [...others, ...services].map(({ id }) => id)
      expect(new Set(all).size).toBe(all.length)
      const taken = new Set(others.map(({ id }) => id))
      for (const read of files) {
        const of = services.filter(({ file }) => file === read.file).map(({ id }) => id)
        const isBad = bad.some(({ file }) => file === read.file)
        const wanted = 'services' in read ? read.services.map(({ id }) => id) : []
        expect(of).toEqual(isBad ? [] : wanted)
        expect(isBad).toBe('error' in read || read.file === unwanted || wanted.some((id) => taken.has(id)))
        for (const id of of) taken.add(id)
      }
    }),
  )
})

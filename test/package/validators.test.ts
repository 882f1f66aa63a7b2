import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import fc from 'fast-check'
import { rolldown } from 'rolldown'
import { afterAll, expect, test } from 'vitest'
import { prebuilt } from '../../build/prebuilt.ts'
import type { Validator } from '../../src/shared/compile-schema.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const OUTPUT = join(ROOT, 'test/built/validators')
const FILES = [
  'core/wire/record',
  'io/identity-file',
  'daemon/services/services',
  'daemon/config/settings',
  'daemon/control/operations/requests',
]

afterAll(() => rm(OUTPUT, { recursive: true, force: true }))

/** All validators in the exports of a file, with the way to each. */
function validatorsIn(value: unknown, way = ''): [way: string, validator: Validator<unknown>][] {
  if (typeof value === 'function') return [[way, value as Validator<unknown>]]
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, member]) => validatorsIn(member, `${way}/${key}`))
}

/** The result of a check: what it says, and the value, because parameters of a URL are converted. */
function check(validator: Validator<unknown>, value: unknown): unknown {
  const checked = structuredClone(value)
  const isValid = validator(checked)
  const errors = isValid
    ? []
    : validator.errors?.map(({ keyword, instancePath, params, message, data }) => [
        keyword,
        instancePath,
        params,
        message,
        data,
      ])
  return { isValid, errors, checked, expected: validator.expected }
}

const DIGEST = 'A'.repeat(22)
const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 70 }),
  fc.constantFrom('', 'kitchen', 'http', '_http._tcp', '30s', '0', '1', 'true', '127.0.0.1:80', '239.1.2.3', 'ff02::1'),
  fc.constantFrom(DIGEST, 'x'.repeat(1025), 'a\u0000b', '\ud800', '__proto__', 'eth0', 'beacon', 'alive'),
)
const scalar = fc.oneof(
  text,
  fc.integer(),
  fc.double(),
  fc.boolean(),
  fc.constant(null),
  fc.constantFrom(0, 80, 1000, 65_536),
)
const service = fc.record(
  {
    id: text,
    name: text,
    type: text,
    port: scalar,
    txt: fc.dictionary(text, scalar, { maxKeys: 2 }),
    subtypes: fc.array(text, { maxLength: 2 }),
  },
  { requiredKeys: [] },
)
/** Mostly a value that the record's schema accepts. */
const mostly = (good: unknown) => fc.oneof({ weight: 9, arbitrary: fc.constant(good) }, scalar)
const record = fc.record(
  {
    name: mostly('kitchen'),
    hostname: mostly('kitchen.lan'),
    addresses: mostly(['192.168.1.20', 'fe80::1']),
    interval: mostly(1000),
    services: fc.array(service, { maxLength: 2 }),
    attributes: fc.dictionary(text, scalar, { maxKeys: 2 }),
    version: mostly('0.1.0'),
    anchor: mostly({ sequence: 0, value: DIGEST }),
    goodbye: mostly(DIGEST),
    supersedes: mostly(DIGEST),
    privateKey: text,
    machine: text,
    incarnation: scalar,
    ttl: text,
  },
  {
    requiredKeys: [
      'name',
      'hostname',
      'addresses',
      'interval',
      'services',
      'attributes',
      'version',
      'anchor',
      'goodbye',
    ],
  },
)
/** Objects with the members that the schemas know, often with values that they accept. */
const value = fc.oneof(
  scalar,
  fc.array(text, { maxLength: 3 }),
  service,
  record,
  fc.dictionary(
    fc.constantFrom('service', 'name', 'state', 'since', 'wait', 'self', 'timeout', 'id', 'reference', 'source'),
    fc.oneof(text, fc.array(text, { maxLength: 2 })),
  ),
)

test.each(FILES)('the validators of %s decide in a bundle as they do in the sources', async (file) => {
  const path = join(ROOT, `src/${file}.prebuilt.ts`)
  await using bundle = await rolldown({
    input: path,
    platform: 'node',
    checks: { bundlerTimings: false },
    plugins: [prebuilt()],
  })
  const { output } = await bundle.write({ dir: OUTPUT, entryFileNames: `${file.replaceAll('/', '-')}.mjs` })
  const built = validatorsIn(await import(pathToFileURL(join(OUTPUT, output[0].fileName)).href))
  const source = new Map(validatorsIn(await import(path)))
  expect(built.map(([way]) => way).sort()).toEqual([...source.keys()].sort())
  expect(built).not.toEqual([])
  for (const [way, validator] of built) {
    const original = source.get(way)
    if (!original) throw new Error(way)
    fc.assert(
      fc.property(value, (one) => {
        expect(check(validator, one)).toEqual(check(original, one))
      }),
    )
  }
})

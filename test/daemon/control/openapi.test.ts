import { createConfig, lintFromString } from '@redocly/openapi-core'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { describe, expect, test } from 'vitest'
import type { Service } from '../../../src/core/wire/record-schema.ts'
import {
  type Answer,
  ask,
  FakePresence,
  hostView,
  idOf,
  Listener,
  mdnsKnowing,
  openCatalogue,
  sendJson,
  startControl,
} from './fixtures.ts'

interface Operation {
  responses: Record<string, { headers?: Record<string, object>; content?: Record<string, { schema: object }> }>
  parameters?: { name: string }[]
  security: object[]
}
const NO_OPERATION: Operation = { responses: {}, security: [] }

interface Document {
  openapi: string
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, object> }
}

async function running() {
  const presence = new FakePresence()
  presence.change('peer-up', 1, { name: 'one', rtt: 0.4 })
  presence.change('peer-up', 2, { name: 'two' })
  presence.change('peer-up', 3, { name: 'two' })
  presence.change('peer-failed', 4)
  presence.change('peer-up', 5, hostView(5))
  presence.mdns = mdnsKnowing({ 'printer.local': [{ address: 'fe80::7', family: 'ipv6', interface: 'eth0' }] })
  presence.roundTrips.set(idOf(1), 0.4)
  const fixed: Service = { id: 'fixed', name: 'F', type: '_ipp._tcp', port: 631, txt: {}, subtypes: [] }
  await openCatalogue(presence, {
    services: [fixed],
    attributes: { room: 'attic' },
    servicesDir: ['/dev/null'],
  })
  const run = await startControl(presence, { blockingQueries: { max: 0 }, eventStreams: { maxOnLoopback: 0 } })
  const { body } = await ask({ socket: run.socket }, '/openapi.json')
  return { ...run, document: body as Document }
}

describe('GET /openapi.json', () => {
  test('describes every route and every schema, and has no dangling reference', async () => {
    const { document } = await running()
    expect(document.openapi).toBe('3.1.0')
    const calls = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    )
    expect(calls.sort()).toEqual([...new Set(CALLS.map(({ call }) => call))].sort())
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]*)"/g)].map(
      ([, reference = '']) => reference,
    )
    expect(references.length).toBeGreaterThan(5)
    for (const reference of references) {
      expect(document.components.schemas).toHaveProperty(reference.replace('#/components/schemas/', ''))
    }
    const ids = Object.values(document.paths).flatMap((methods) =>
      Object.values(methods).map((operation) => Reflect.get(operation, 'operationId')),
    )
    expect(new Set(ids).size).toBe(ids.length)
    expect(Object.keys(document.components.schemas).sort()).toEqual([
      'Attributes',
      'Error',
      'Event',
      'Gap',
      'Health',
      'Host',
      'Offer',
      'OfferedService',
      'OwnService',
      'Peer',
      'Peers',
      'Probe',
      'Self',
      'ServiceEvent',
      'Services',
      'Sync',
    ])
  })

  test('passes an independent linter', async () => {
    const { document } = await running()
    const config = await createConfig({ extends: ['recommended-strict'] })
    const problems = await lintFromString({ source: JSON.stringify(document), config, absoluteRef: 'openapi.json' })
    expect(problems.map(({ ruleId, message, location }) => [ruleId, message, location[0]?.pointer])).toEqual([])
  })

  test('describes the attribute parameters, the token and the response headers', async () => {
    const { document } = await running()
    expect(document).toMatchObject({
      servers: [{ url: 'http://127.0.0.1:15353' }],
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
    })
    const peers = document.paths['/v1/peers']?.['get']
    expect(peers?.parameters?.map(({ name }) => name)).toContain('attr.KEY')
    expect(peers?.security).toEqual([])
    expect(document.paths['/v1/query']?.['post']?.security).toEqual([{ token: [] }, {}])
    expect(JSON.stringify(document)).not.toContain('"expected"')
  })

  test('matches the real answers', async () => {
    const { document, socket, port } = await running()
    // OpenAPI 3.1 schemas are JSON Schema 2020-12: what we send must be what we describe.
    const ajv = new Ajv2020({ strict: false, formats: { 'date-time': true } })
    ajv.addSchema(document, 'api')
    const told = new Set<string>()
    for (const { call, path, status, body, headers, onLoopback } of CALLS) {
      const [method = '', template = ''] = call.split(' ')
      const way = onLoopback ? { port } : { socket }
      const answer: Answer =
        body === undefined
          ? await ask(way, path ?? template, headers, method)
          : await sendJson(way, method, path ?? template, body, headers)
      expect(answer.status, `${call} ${path}: ${JSON.stringify(answer.body)}`).toBe(status)
      const { responses } = document.paths[template]?.[method.toLowerCase()] ?? NO_OPERATION
      const key = [String(status), `${String(status)[0]}XX`].find((each) => each in responses)
      expect(key, `${call}: ${status} is not described`).toBeDefined()
      told.add(`${call} ${key}`)
      if (responses[key ?? '']?.headers?.['ETag'] && !path?.includes('self=1')) {
        expect(answer.headers.etag, `${call} ${path}`).toBeDefined()
      }
      const content = responses[key ?? '']?.content?.['application/json']
      if (!content) {
        expect(answer.body).toBe('')
        continue
      }
      const pointer = ['paths', template, method.toLowerCase(), 'responses', key ?? '', 'content', 'application/json']
      const escaped = pointer.map((part) => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1')))
      const isValid = ajv.validate(`api#/${escaped.join('/')}/schema`, answer.body)
      expect(isValid, `${call}: ${ajv.errorsText()}`).toBe(true)
    }
    const described = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).flatMap(([method, { responses }]) =>
        Object.keys(responses).map((status) => `${method.toUpperCase()} ${path} ${status}`),
      ),
    )
    // A stream that has begun has no end, and is checked below; the others are in services.test.ts, mdns.test.ts and saved-state.test.ts.
    const elsewhere = [
      'PUT /v1/services/{id} 507',
      'DELETE /v1/services/{id} 507',
      'PATCH /v1/self/attributes 507',
      'POST /v1/probe/{reference} 503',
      'GET /v1/hosts/{hostname} 503',
      'GET /v1/events 200',
    ]
    expect(described.filter((each) => !told.has(each))).toEqual(elsewhere)
  })

  test('matches the events of a stream', async () => {
    const { document, socket, presence } = await running()
    const ajv = new Ajv2020({ strict: false, formats: { 'date-time': true } })
    ajv.addSchema(document, 'api')
    const listener = new Listener({ socket }, '/v1/events?state=1')
    await listener.untilType('sync')
    presence.change('peer-left', 1)
    await listener.untilType('peer-left')
    const pointer = '/paths/~1v1~1events/get/responses/200/content/text~1event-stream/schema'
    for (const { type, json } of listener.events) {
      const name = type === 'sync' ? 'Sync' : 'Event'
      expect(ajv.validate(`api#/components/schemas/${name}`, json), ajv.errorsText()).toBe(true)
      expect(ajv.validate(`api#${pointer}`, json), ajv.errorsText()).toBe(true)
    }
  })
})

interface Call {
  /** As the document names it. */
  call: string
  /** Unless it is the one of `call`. */
  path?: string
  status: number
  body?: unknown
  headers?: Record<string, string>
  onLoopback?: boolean
}

const SHOP = '/v1/services/shop'
const SERVICE = { type: 'http', port: 80, ttl: '5m' }
const TOO_LARGE = Object.fromEntries(Array.from({ length: 17 }, (_, number) => [`k${number}`, 'x'.repeat(1024)]))
const FOREIGN = { headers: { host: 'evil.example' }, status: 403, onLoopback: true }

/** Every call with every answer that it has; in this order, since some need what others have done. */
const CALLS: Call[] = [
  { call: 'GET /healthz', status: 200 },
  { call: 'GET /healthz', ...FOREIGN },
  { call: 'GET /v1/peers', path: '/v1/peers?self=1&state=all', status: 200 },
  { call: 'GET /v1/peers', status: 304, headers: { 'if-none-match': '*' } },
  { call: 'GET /v1/peers', path: '/v1/peers?x=1', status: 400 },
  { call: 'GET /v1/peers', path: '/v1/peers?since=e1-5', status: 503 },
  { call: 'GET /v1/peers/{reference}', path: '/v1/peers/one', status: 200 },
  { call: 'GET /v1/peers/{reference}', path: '/v1/peers/nobody', status: 404 },
  { call: 'GET /v1/peers/{reference}', path: '/v1/peers/two', status: 409 },
  { call: 'PUT /v1/services/{id}', path: SHOP, status: 201, body: SERVICE },
  { call: 'PUT /v1/services/{id}', path: SHOP, status: 200, body: SERVICE },
  { call: 'PUT /v1/services/{id}', path: '/v1/services/fixed', status: 409, body: SERVICE },
  { call: 'PUT /v1/services/{id}', path: SHOP, status: 400, body: {} },
  { call: 'PUT /v1/services/{id}', path: SHOP, status: 413, body: { x: 'x'.repeat(70_000) } },
  { call: 'PUT /v1/services/{id}', path: SHOP, status: 401, body: SERVICE, onLoopback: true },
  {
    call: 'PUT /v1/services/{id}',
    path: SHOP,
    status: 415,
    body: SERVICE,
    headers: { 'content-type': 'text/plain' },
  },
  { call: 'PUT /v1/services/{id}', path: SHOP, status: 412, body: SERVICE, headers: { 'if-none-match': '*' } },
  { call: 'GET /v1/services/{id}', path: SHOP, status: 200 },
  { call: 'GET /v1/services/{id}', path: SHOP, status: 304, headers: { 'if-none-match': '*' } },
  { call: 'GET /v1/services/{id}', path: '/v1/services/nothing', status: 404 },
  { call: 'GET /v1/services', path: '/v1/services?self=1', status: 200 },
  { call: 'GET /v1/services', status: 304, headers: { 'if-none-match': '*' } },
  { call: 'GET /v1/services', path: '/v1/services?type=!', status: 400 },
  { call: 'GET /v1/services', path: '/v1/services?since=e1-5', status: 503 },
  { call: 'GET /v1/self', status: 200 },
  { call: 'GET /v1/self', ...FOREIGN },
  { call: 'DELETE /v1/services/{id}', path: SHOP, status: 204 },
  { call: 'DELETE /v1/services/{id}', path: SHOP, status: 404 },
  { call: 'PATCH /v1/self/attributes', status: 200, body: { load: 0.5, ok: true, note: 'n' } },
  { call: 'PATCH /v1/self/attributes', status: 400, body: { load: [] } },
  { call: 'PATCH /v1/self/attributes', status: 409, body: { room: null } },
  { call: 'PATCH /v1/self/attributes', status: 413, body: TOO_LARGE },
  { call: 'POST /v1/probe/{reference}', path: '/v1/probe/one', status: 200 },
  { call: 'POST /v1/probe/{reference}', path: '/v1/probe/nobody', status: 404 },
  { call: 'POST /v1/probe/{reference}', path: `/v1/probe/${idOf(2)}`, status: 504 },
  { call: 'POST /v1/probe/{reference}', path: '/v1/probe/host-5.local', status: 409 },
  { call: 'GET /v1/hosts/{hostname}', path: '/v1/hosts/printer.local', status: 200 },
  { call: 'GET /v1/hosts/{hostname}', path: '/v1/hosts/nobody.local', status: 404 },
  { call: 'POST /v1/query', status: 202 },
  { call: 'POST /v1/query', status: 401, onLoopback: true },
  { call: 'GET /v1/events', path: '/v1/events?since=x', status: 400 },
  { call: 'GET /v1/events', status: 503, onLoopback: true },
]

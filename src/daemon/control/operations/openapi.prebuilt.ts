import swagger from '@fastify/swagger'
import Fastify from 'fastify'
import {
  ApiErrorSchema,
  AttributesSchema,
  EventSchema,
  GapSchema,
  HealthSchema,
  HostSchema,
  OfferedServiceSchema,
  OfferSchema,
  OwnServiceSchema,
  PeerSchema,
  PeersSchema,
  ProbeSchema,
  ServiceEventSchema,
  ServicesSchema,
  SyncSchema,
} from '../../../shared/api.ts'
import { SelfSchema } from '../../../shared/self-api.ts'
import { OPERATIONS } from './operations.ts'
import type { OperationSchema } from './parameters.ts'

/** The schemas that have a name in the document. */
const API_SCHEMAS = [
  OwnServiceSchema,
  OfferedServiceSchema,
  OfferSchema,
  ServicesSchema,
  AttributesSchema,
  ProbeSchema,
  HostSchema,
  PeerSchema,
  PeersSchema,
  EventSchema,
  ServiceEventSchema,
  SyncSchema,
  GapSchema,
  SelfSchema,
  HealthSchema,
  ApiErrorSchema,
]

/** The parts of the OpenAPI document that do not come from the routes and their schemas. */
const OPENAPI = {
  openapi: '3.1.0',
  info: {
    title: 'earshot',
    description: 'The peers on the local network, the services that they offer, and whether they are alive.',
    version: '1',
    license: { name: 'MIT', identifier: 'MIT' },
  },
  servers: [
    {
      url: 'http://127.0.0.1:15353',
      description: 'The default; another address can be set with --http. The same API is on the Unix socket',
    },
  ],
  components: {
    securitySchemes: {
      token: {
        type: 'http' as const,
        scheme: 'bearer',
        description: 'The token is in the file `token` beside the Unix socket. It is new at every start of the daemon',
      },
    },
  },
}

const SAFE_METHODS = ['get', 'head']
/** Changes need the token on loopback, but not on the Unix socket. */
const SECURITY_OF_CHANGES = [{ token: [] }, {}]

/** The operations whose answers have an ETag, by operationId. */
const OPERATIONS_WITH_ETAG = ['peers', 'services', 'service', 'putService']
const ETAG_HEADERS = {
  ETag: {
    description: 'Identifies this version of the answer, for If-None-Match and If-Match',
    schema: { type: 'string' as const },
  },
}
const ERROR_HEADERS = {
  Allow: { description: 'With 405: the methods that this URL has', schema: { type: 'string' as const } },
  'WWW-Authenticate': { description: 'With 401', schema: { type: 'string' as const } },
}

/**
 * The parameters whose names begin with `attr.`. OpenAPI cannot describe parameters with a common
 * prefix. It can describe an object in the style `form`, which means one parameter for each key of the object.
 */
const ATTRIBUTE_PARAMETERS = {
  name: 'attr.KEY',
  in: 'query',
  description: 'The attribute KEY has this value, for example `attr.status=idle` or `attr.ready=true`. May be repeated',
  style: 'form',
  explode: true,
  schema: {
    type: 'object',
    patternProperties: { '^attr\\..': { type: ['string', 'array'], items: { type: 'string' } } },
    additionalProperties: false,
  },
}

interface Operation {
  operationId: string
  security: object[]
  parameters?: object[]
  responses: Record<string, { headers?: object }>
}

/** The OpenAPI document of the HTTP API. */
export const document = await describeOperations()

async function describeOperations(): Promise<object> {
  const app = Fastify()
  // Nothing is checked or serialised: the routes are only described.
  app.setValidatorCompiler(() => () => true)
  app.setSerializerCompiler(() => JSON.stringify)
  for (const schema of API_SCHEMAS) app.addSchema(schema)
  await app.register(swagger, {
    openapi: OPENAPI,
    refResolver: { buildLocalReference: ({ $id }, _base, _fragment, position) => String($id ?? position) },
  })
  await app.register(async (scope) => {
    for (const [operationId, { method, url, ...schema }] of Object.entries<OperationSchema>(OPERATIONS)) {
      scope.route({ method, url, schema: { operationId, ...schema }, exposeHeadRoute: false, handler: () => null })
    }
  })
  await app.ready()
  return completeDocument(app.swagger())
}

/** Adds to each operation what the schemas of requests and answers cannot describe. */
function completeDocument<Document extends { paths?: object }>(document: Document): Document {
  const paths: Record<string, Record<string, Operation>> = { ...document.paths }
  for (const [method, operation] of Object.values(paths).flatMap((path) => Object.entries(path))) {
    operation.security = SAFE_METHODS.includes(method) ? [] : SECURITY_OF_CHANGES
    if (operation.operationId === 'peers')
      operation.parameters = [...(operation.parameters ?? []), ATTRIBUTE_PARAMETERS]
    for (const [status, response] of Object.entries(operation.responses)) {
      if (status === '4XX') response.headers = ERROR_HEADERS
      else if (/^[23]/.test(status) && OPERATIONS_WITH_ETAG.includes(operation.operationId))
        response.headers = ETAG_HEADERS
    }
  }
  return document
}

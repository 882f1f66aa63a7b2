/** What the OpenAPI document says beside the routes and their schemas. */
export const OPENAPI = {
  openapi: '3.1.0',
  info: {
    title: 'earshot',
    description: 'Who is on this local network right now, what they offer, and whether they are alive.',
    version: '1',
    license: { name: 'MIT', identifier: 'MIT' },
  },
  servers: [
    {
      url: 'http://127.0.0.1:15353',
      description: 'Loopback, where --http does not say otherwise. The Unix socket answers the same calls',
    },
  ],
  components: {
    securitySchemes: {
      token: {
        type: 'http' as const,
        scheme: 'bearer',
        description: 'The token in the file `token` beside the Unix socket, new at every start of the daemon',
      },
    },
  },
}

const READING = ['get', 'head']
/** What changes something needs the token on loopback, and nothing on the Unix socket. */
const CHANGING_SECURITY = [{ token: [] }, {}]

const TAGGED = ['peers', 'services', 'service', 'putService']
const HEADERS = {
  ETag: {
    description: 'Names the answer as it is, for If-None-Match and If-Match',
    schema: { type: 'string' as const },
  },
}
const FAILURE_HEADERS = {
  Allow: { description: 'With 405: the methods that there are', schema: { type: 'string' as const } },
  'WWW-Authenticate': { description: 'With 401', schema: { type: 'string' as const } },
}

/** Any parameter whose name begins with `attr.`: an object in the form style is written as one parameter for each key. */
const ATTRIBUTES = {
  name: 'attr.KEY',
  in: 'query',
  description: 'Has the attribute KEY with this value: `attr.status=idle`, `attr.ready=true`. May be repeated',
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

/** Adds to each operation of a document what the schemas of routes have no place for. To be called once. */
export function complete<Document extends { paths?: object }>(document: Document): Document {
  const paths: Record<string, Record<string, Operation>> = { ...document.paths }
  for (const [method, operation] of Object.values(paths).flatMap((path) => Object.entries(path))) {
    operation.security = READING.includes(method) ? [] : CHANGING_SECURITY
    if (operation.operationId === 'peers') operation.parameters = [...(operation.parameters ?? []), ATTRIBUTES]
    for (const [status, response] of Object.entries(operation.responses)) {
      if (status === '4XX') response.headers = FAILURE_HEADERS
      else if (/^[23]/.test(status) && TAGGED.includes(operation.operationId)) response.headers = HEADERS
    }
  }
  return document
}

import type { Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import swagger from '@fastify/swagger'
import Fastify, {
  type FastifyInstance,
  type FastifyTypeProvider,
  LogController,
  type RawRequestDefaultExpression,
} from 'fastify'
import type { Logger } from 'pino'
import type { Static, TSchema } from 'typebox'
import {
  AttributesSchema,
  ErrorSchema,
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
} from '../../shared/api.ts'
import { BadRequest, MethodNotAllowed, TokenNeeded } from '../../shared/errors.ts'
import { SelfSchema } from '../../shared/self-api.ts'
import type { BlockedQueries } from './blocked-queries.ts'
import { hasBody, MOST_BODY_BYTES, mayBeEmpty, readBodies } from './bodies.ts'
import type { EventReaders } from './event-readers.ts'
import { eventRoutes } from './event-routes.ts'
import { answerFailure, refuseUnknownRoute } from './failures.ts'
import { refuseForeign } from './guard.ts'
import { writeJson } from './json.ts'
import { Lists } from './lists.ts'
import { addRoutes } from './methods.ts'
import { networkRoutes } from './network-routes.ts'
import { complete, OPENAPI } from './openapi.ts'
import { ownServiceRoutes } from './own-service-routes.ts'
import { peerRoutes } from './peer-routes.ts'
import { selfRoutes } from './self-routes.ts'
import { serviceRoutes } from './service-routes.ts'
import type { Station } from './station.ts'
import { bearsToken, tokenPath } from './token.ts'
import { checkQuery } from './url.ts'
import type { Listening } from './views.ts'

/** Gives handlers the types of their TypeBox schemas. */
interface TypeBoxProvider extends FastifyTypeProvider {
  validator: this['schema'] extends TSchema ? Static<this['schema']> : unknown
  serializer: this['schema'] extends TSchema ? Static<this['schema']> : unknown
}
type Request = RawRequestDefaultExpression<Server>
export type App = FastifyInstance<Server, Request, ServerResponse, Logger, TypeBoxProvider>

/** What the routes work with. */
export interface AppContext {
  station: Station
  readers: EventReaders
  queries: BlockedQueries
  listening: Listening
  log: Logger
  /** Whether a connection came through the Unix socket, whose mode has already decided who may ask. */
  cameThroughSocket(connection: Socket): boolean
}

/** What changes nothing (RFC 9110, section 9.2.1). */
const SAFE_METHODS = ['GET', 'HEAD']
const NO_HOST = "the header Host is missing, which HTTP/1.1 requires ('localhost' will do)"
/** In characters, still percent-encoded: a name has 63 at most, up to four bytes each. */
const MOST_REFERENCE_CHARACTERS = 1024

/** The HTTP API as a Fastify application that listens nowhere: its `routing` is given to the servers. */
export async function buildApp(context: AppContext): Promise<App> {
  const app: App = Fastify({
    loggerInstance: context.log,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: MOST_BODY_BYTES,
    routerOptions: { maxParamLength: MOST_REFERENCE_CHARACTERS },
    ajv: { customOptions: { removeAdditional: false, allErrors: false } },
    frameworkErrors: answerFailure,
  }).withTypeProvider<TypeBoxProvider>()

  app.addHook('onRequest', async (request) => {
    const { raw, method, headers } = request
    const { url = '', config, schema } = request.routeOptions
    if (headers.host === undefined && raw.httpVersion === '1.1') throw new BadRequest(NO_HOST)
    if (!context.cameThroughSocket(raw.socket)) {
      refuseForeign(headers)
      const { station, listening } = context
      if (!SAFE_METHODS.includes(method) && !bearsToken(headers.authorization, station.token)) {
        throw new TokenNeeded(tokenPath(listening.socket), listening.socket)
      }
    }
    if (config.allow) throw new MethodNotAllowed(method, url, config.allow.join(', '))
    if (!request.is404 && !schema?.body) {
      if (hasBody(headers) && !mayBeEmpty(request)) throw new BadRequest(`${method} ${url} takes no body`)
      // Some programs name the type of a body that they do not send.
      if (!hasBody(headers)) delete raw.headers['content-type']
    }
    checkQuery(raw.url ?? '')
  })
  readBodies(app)
  app.setErrorHandler(answerFailure)
  app.setNotFoundHandler(refuseUnknownRoute)
  // The views build exactly what the schemas say, and V8 writes a list of peers four times as fast as a serialiser made of them.
  app.setSerializerCompiler(() => writeJson)
  for (const schema of SHARED_SCHEMAS) app.addSchema(schema)
  await app.register(swagger, {
    openapi: OPENAPI,
    refResolver: { buildLocalReference: ({ $id }, _base, _fragment, position) => String($id ?? position) },
  })
  let document: object | undefined
  await app.register(async (scope: App) => {
    addRoutes(scope, () => {
      const lists = new Lists(context)
      peerRoutes(scope, context, lists)
      serviceRoutes(scope, context, lists)
      ownServiceRoutes(scope, context)
      selfRoutes(scope, context)
      networkRoutes(scope, context)
      eventRoutes(scope, context)
      scope.get('/openapi.json', { schema: { hide: true } }, () => (document ??= complete(app.swagger())))
    })
  })
  await app.ready()
  return app
}

const SHARED_SCHEMAS = [
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
  ErrorSchema,
]

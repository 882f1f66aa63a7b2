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
import { BadRequest, TokenNeeded } from '../errors.ts'
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
  SelfSchema,
  ServiceEventSchema,
  ServiceSchema,
  ServicesSchema,
  SyncSchema,
} from './api.ts'
import type { BlockedQueries } from './blocked-queries.ts'
import { hasBody, MOST_BODY_BYTES, readBodies } from './bodies.ts'
import type { EventReaders } from './event-readers.ts'
import { eventRoutes } from './event-routes.ts'
import { answerFailure, refuseUnknownRoute } from './failures.ts'
import { refuseForeign } from './guard.ts'
import { Lists } from './lists.ts'
import { networkRoutes } from './network-routes.ts'
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
    if (!context.cameThroughSocket(raw.socket)) {
      refuseForeign(headers)
      const { station, listening } = context
      if (!SAFE_METHODS.includes(method) && !bearsToken(headers.authorization, station.token)) {
        throw new TokenNeeded(tokenPath(listening.socket), listening.socket)
      }
    }
    if (hasBody(headers) && !request.is404 && !request.routeOptions.schema?.body) {
      throw new BadRequest(`${method} ${request.routeOptions.url} takes no body`)
    }
    checkQuery(raw.url ?? '')
  })
  readBodies(app)
  app.setErrorHandler(answerFailure)
  app.setNotFoundHandler(refuseUnknownRoute)
  // The views build exactly what the schemas say, and V8 writes a list of peers four times as fast as a serialiser made of them.
  app.setSerializerCompiler(() => (answer) => JSON.stringify(answer))
  for (const schema of SHARED_SCHEMAS) app.addSchema(schema)
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'earshot',
        description: 'Who is on this local network right now, what they offer, and whether they are alive.',
        version: '1',
      },
    },
    refResolver: { buildLocalReference: ({ $id }, _base, _fragment, position) => String($id ?? position) },
  })
  await app.register(async (scope: App) => {
    const lists = new Lists(context)
    peerRoutes(scope, context, lists)
    serviceRoutes(scope, context, lists)
    selfRoutes(scope, context)
    networkRoutes(scope, context)
    eventRoutes(scope, context)
    scope.get('/openapi.json', { schema: { hide: true } }, () => app.swagger())
  })
  await app.ready()
  return app
}

const SHARED_SCHEMAS = [
  ServiceSchema,
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

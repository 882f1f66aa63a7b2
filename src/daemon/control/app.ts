import type { Socket } from 'node:net'
import Fastify, { type FastifyServerOptions, LogController } from 'fastify'
import type { Logger } from 'pino'
import { BadRequest, MethodNotAllowed, TokenNeeded } from '../../shared/errors.ts'
import { hasToken, refuseForeignSites, tokenPath } from './access.ts'
import { writeJson } from './api-json.ts'
import type { BlockingQueries } from './blocking-queries.ts'
import type { App, ControlDependencies, ListenAddresses } from './context.ts'
import { sendError, throwNoSuchRoute } from './error-responses.ts'
import { eventRoutes } from './event-routes.ts'
import type { EventStreams } from './event-streams.ts'
import { ListResponses } from './list-responses.ts'
import { networkRoutes } from './network-routes.ts'
import { peerRoutes } from './peer-routes.ts'
import { checkQueryEncoding, hasBody, MAX_BODY_BYTES, mayBeEmpty, parseBodies } from './request-input.ts'
import { selfRoutes } from './self-routes.ts'

interface AppOptions {
  deps: ControlDependencies
  streams: EventStreams
  queries: BlockingQueries
  listening: ListenAddresses
  log: Logger
  /** Whether a connection came over the Unix socket, where the mode of the file decides who has access. */
  isOnSocket(connection: Socket): boolean
}

/** Methods that change nothing (RFC 9110, section 9.2.1). */
const SAFE_METHODS = ['GET', 'HEAD']
const NO_HOST = "the header Host is missing, which HTTP/1.1 requires ('localhost' will do)"
/** Percent-encoded. A name has at most 63 characters of up to four bytes. */
const MAX_REFERENCE_CHARACTERS = 1024

/**
 * What Fastify calls instead of compiling schemas. The schemas of requests are functions that check them. The JSON of answers is built to match
 * their schemas; for a list of peers, V8 is four times as fast as a serialiser made from them.
 */
const COMPILERS = {
  buildValidator: () => (route: { schema: unknown }) => route.schema,
  buildSerializer: () => () => writeJson,
} as unknown as NonNullable<NonNullable<FastifyServerOptions['schemaController']>['compilersFactory']>

/** Builds the HTTP API as a Fastify application that does not listen. Its `routing` is the request handler of a server. */
export async function buildApp({ deps, streams, queries, listening, log, isOnSocket }: AppOptions): Promise<App> {
  const app: App = Fastify({
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: MAX_BODY_BYTES,
    routerOptions: { maxParamLength: MAX_REFERENCE_CHARACTERS },
    schemaController: { compilersFactory: COMPILERS },
    frameworkErrors: sendError,
  })

  app.addHook('onRequest', async (request) => {
    const { raw, method, headers } = request
    const { url = '', config, schema } = request.routeOptions
    if (headers.host === undefined && raw.httpVersion === '1.1') throw new BadRequest(NO_HOST)
    if (!isOnSocket(raw.socket)) {
      refuseForeignSites(headers)
      if (!SAFE_METHODS.includes(method) && !hasToken(headers.authorization, deps.token)) {
        throw new TokenNeeded(tokenPath(listening.socket), listening.socket)
      }
    }
    if (config.allow) throw new MethodNotAllowed(method, url, config.allow.join(', '))
    if (!request.is404 && !schema?.body) {
      if (hasBody(headers) && !mayBeEmpty(request)) throw new BadRequest(`${method} ${url} takes no body`)
      // Some programs send a content type without a body, which Fastify would refuse.
      if (!hasBody(headers)) delete raw.headers['content-type']
    }
    checkQueryEncoding(raw.url ?? '')
  })
  parseBodies(app)
  app.setErrorHandler(sendError)
  app.setNotFoundHandler(throwNoSuchRoute)
  await app.register(async (scope: App) => {
    addRoutes(scope, () => {
      peerRoutes(scope, deps, new ListResponses({ deps, queries, isOnSocket }))
      selfRoutes(scope, deps, listening)
      networkRoutes(scope, deps)
      eventRoutes(scope, deps, { streams, isOnSocket })
      scope.get(
        '/openapi.json',
        { schema: { hide: true } },
        async () => (await import('./operations/openapi.prebuilt.ts')).document,
      )
    })
  })
  await app.ready()
  return app
}

/** Adds routes. Then adds, for each of their URLs, routes that answer 405 to all other methods. */
function addRoutes(app: App, add: () => void): void {
  const methods = new Map<string, string[]>()
  app.addHook('onRoute', ({ url, method, config }) => {
    if (!config?.allow) methods.set(url, [...(methods.get(url) ?? []), ...[method].flat()])
  })
  add()
  for (const [url, allow] of methods) {
    app.route({
      url,
      method: app.supportedMethods.filter((method) => !allow.includes(method)),
      config: { allow },
      schema: { hide: true },
      handler: () => null,
    })
  }
}

import { createHash } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { NoSuchService, ServiceHeld } from '../../shared/errors.ts'
import { type OwnService, sourceOf } from '../services/own-services.ts'
import { serviceOf } from '../services/service-entry.ts'
import { ownServiceJson, selfJson } from './api-json.ts'
import type { App, ControlDependencies, ListenAddresses } from './context.ts'
import { matchesStrongly, matchesWeakly } from './etags.ts'
import type { Input } from './operations/operations.ts'
import { TTL_RANGE } from './operations/request-values.ts'
import { routes } from './operations/requests.prebuilt.ts'
import { readDuration } from './request-input.ts'

const MAX_OWNER_CHARACTERS = 128

/** The routes for the daemon's own peer: its state, its attributes and its services. */
export function selfRoutes(app: App, deps: ControlDependencies, listening: ListenAddresses): void {
  const { presence, catalogue } = deps
  const wallClock = deps.wallClock.bind(deps)

  app.route<Input<'service'>>({
    ...routes.service,
    handler: async ({ params: { id }, headers }, reply) => {
      const service = catalogue.get(id)
      if (!service) throw new NoSuchService(id)
      const etag = serviceEtag(service)
      const known = headers['if-none-match']
      reply.header('etag', etag).header('cache-control', 'no-cache')
      if (known !== undefined && matchesWeakly(known, etag)) {
        reply.code(304)
        return null
      }
      return ownServiceJson(service, wallClock)
    },
  })

  app.route<Input<'putService'>>({
    ...routes.putService,
    handler: async ({ params: { id }, headers, raw, body: { ttl, ...entry } }, reply) => {
      const service = serviceOf(entry, { id, name: catalogue.peerName })
      const ttlMs = ttl === undefined ? undefined : readDuration(ttl, 'body/ttl', TTL_RANGE)
      const options = { owner: ownerOf(raw.headers), usesPeerName: entry.name === undefined }
      checkPreconditions(headers, id, catalogue.get(id))
      const { service: own, created, needsSave } = catalogue.put(id, service, ttlMs, options)
      // What was confirmed must survive a crash.
      if (needsSave) await catalogue.saved()
      reply.code(created ? 201 : 200).header('etag', serviceEtag(own))
      return ownServiceJson(own, wallClock)
    },
  })

  app.route<Input<'deleteService'>>({
    ...routes.deleteService,
    handler: async ({ params: { id }, headers }, reply) => {
      checkPreconditions(headers, id, catalogue.get(id))
      const { needsSave } = catalogue.remove(id)
      if (needsSave) await catalogue.saved()
      reply.code(204)
      return null
    },
  })

  app.route<Input<'self'>>({ ...routes.self, handler: () => selfJson(deps, listening) })

  app.route<Input<'patchAttributes'>>({
    ...routes.patchAttributes,
    handler: async ({ body }) => {
      const attributes = catalogue.patchAttributes(body)
      await catalogue.saved()
      return { attributes }
    },
  })

  app.route<Input<'health'>>({
    ...routes.health,
    handler: () => ({ status: 'ok' as const, peers: presence.self().limits.peers.now, epoch: deps.epoch }),
  })
}

/** The name that a program gives itself (RFC 9110, section 10.1.5), in printable ASCII. */
function ownerOf(headers: IncomingHttpHeaders): string | undefined {
  const text = headers['user-agent']
    ?.replace(/[^ -~]/g, '?')
    .trim()
    .slice(0, MAX_OWNER_CHARACTERS)
  return text || undefined
}

/**
 * The entity tag of a service of this peer (RFC 9110, section 8.8.3). It changes with the service and its owner, but not when the
 * service is renewed.
 */
function serviceEtag({ id, name, type, port, txt, subtypes, source, file, owner }: OwnService): string {
  const facts = JSON.stringify([id, name, type, port, txt, subtypes, source, file, owner])
  return `"${createHash('sha256').update(facts).digest('base64url').slice(0, 22)}"`
}

/**
 * Checks `If-Match` and `If-None-Match` (RFC 9110, sections 13.1.1 and 13.1.2) before a service is changed or withdrawn.
 * Does nothing for a service from a file or the config file: the catalogue refuses to change it in any case.
 * @param service the service with this id, if there is one
 * @throws ServiceHeld
 */
function checkPreconditions(headers: IncomingHttpHeaders, id: string, service: OwnService | undefined): void {
  if (service && service.source !== 'api') return
  const match = headers['if-match']
  const noneMatch = headers['if-none-match']
  if (match !== undefined && !(service && matchesStrongly(match, serviceEtag(service)))) {
    throw new ServiceHeld(
      service
        ? `service '${id}' was meanwhile registered by ${sourceOf(service)}`
        : `service '${id}' is not registered`,
    )
  }
  if (service && noneMatch !== undefined && matchesWeakly(noneMatch, serviceEtag(service))) {
    throw new ServiceHeld(`service '${id}' is registered already, by ${sourceOf(service)} (take another id)`)
  }
}

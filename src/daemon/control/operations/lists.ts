import { Type } from 'typebox'
import { ErrorRef, PeerRef, PeersRef, ServicesRef } from '../../../shared/api.ts'
import {
  flag,
  IfNoneMatch,
  NameParameter,
  NOT_MODIFIED,
  type OperationSchema,
  PeerReference,
  SelfParameter,
  ServiceParameter,
  SourceParameter,
  StateParameter,
  texts,
} from './parameters.ts'

/** The operations that read peers and their services. */

/** The parameters of all lists. */
const LIST_PARAMETERS = {
  self: SelfParameter,
  since: Type.Optional(
    Type.String({
      maxLength: 128,
      description: 'Wait for a change after this one: the `index` of an answer, or EPOCH-INDEX as in its ETag',
    }),
  ),
  wait: Type.Optional(
    Type.String({
      maxLength: 32,
      description: 'With `since`: the maximum time to wait, at most 10m. Default: 30s',
      examples: ['30s'],
    }),
  ),
}

const LIST_DESCRIPTION =
  'A parameter may be repeated: one of its values has to match. Different parameters all have to match. ' +
  'With `since`, the answer waits for a change that affects the filtered list, or for the end of `wait`. ' +
  'The `ETag` changes with every change of the registry.'

const PeersQuery = Type.Object(
  {
    service: ServiceParameter,
    name: NameParameter,
    state: StateParameter,
    source: SourceParameter,
    hidden: flag('Whether to include mDNS hosts that are not listed because each is taken for a peer'),
    ...LIST_PARAMETERS,
  },
  {
    additionalProperties: false,
    // `attr.KEY=VALUE`: the attribute KEY has this value.
    patternProperties: { '^attr\\.[^]': Type.Array(Type.String({ maxLength: 1024 }), { maxItems: 64 }) },
  },
)

const ServicesQuery = Type.Object(
  {
    type: texts(256, 'The type of the service: `http` (over TCP or UDP), `http/tcp` or `_http._tcp`'),
    name: NameParameter,
    peer: texts(256, 'The peer that offers it: its id, its name, or the first characters of its id (at least four)'),
    state: StateParameter,
    source: SourceParameter,
    ...LIST_PARAMETERS,
  },
  { additionalProperties: false },
)

export const listOperations = {
  peers: {
    method: 'GET',
    url: '/v1/peers',
    summary: 'Lists peers',
    description: `\`attr.KEY=VALUE\` filters by an attribute, for example \`attr.status=idle\`. ${LIST_DESCRIPTION}`,
    querystring: PeersQuery,
    headers: IfNoneMatch,
    response: { 200: PeersRef, 304: NOT_MODIFIED, '4xx': ErrorRef, 503: ErrorRef },
  },
  peer: {
    method: 'GET',
    url: '/v1/peers/:reference',
    summary: 'Shows one peer, in any state',
    params: PeerReference,
    querystring: Type.Object({ source: SourceParameter }, { additionalProperties: false }),
    response: { 200: PeerRef, '4xx': ErrorRef },
  },
  services: {
    method: 'GET',
    url: '/v1/services',
    summary: 'Lists services, each with the peer that offers it',
    description: LIST_DESCRIPTION,
    querystring: ServicesQuery,
    headers: IfNoneMatch,
    response: { 200: ServicesRef, 304: NOT_MODIFIED, '4xx': ErrorRef, 503: ErrorRef },
  },
} as const satisfies Record<string, OperationSchema>

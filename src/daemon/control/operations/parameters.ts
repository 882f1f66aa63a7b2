import { type TSchema, Type } from 'typebox'

/** What one operation of the API takes and answers. The OpenAPI document and the checks of requests are made from it. */
export interface OperationSchema {
  method: 'GET' | 'PUT' | 'POST' | 'PATCH' | 'DELETE'
  url: string
  summary: string
  description?: string
  params?: TSchema
  querystring?: TSchema
  headers?: TSchema
  body?: TSchema
  /** The media types of the body. Default: JSON */
  consumes?: readonly string[]
  /** The answers by status code, as in OpenAPI. */
  response: Readonly<Record<string, object>>
}

/** Parameters that several operations have. */

/** A list of texts; it may be repeated in the URL. */
export const texts = (maxLength: number, description: string) =>
  Type.Optional(Type.Array(Type.String({ maxLength }), { maxItems: 64, description }))

/** A parameter that is on or off. */
export const flag = (description: string) => Type.Optional(Type.Enum(['0', '1', 'false', 'true'], { description }))

export const ServiceParameter = texts(
  128,
  'The peer offers a service of this type: `http` (over TCP or UDP), `http/tcp` or `_http._tcp`',
)
export const NameParameter = texts(256, 'The exact name')
export const StateParameter = texts(
  64,
  'alive, suspect, failed, left or all; repeated or separated by commas. Default: alive,suspect',
)
export const SourceParameter = Type.Optional(
  Type.Enum(['beacon', 'mdns'], {
    description:
      '`beacon`: only what comes from the signed records of peers; `mdns`: only what was found by mDNS. Default: both',
  }),
)
export const SelfParameter = flag("Whether to include this daemon's own peer")
export const PeerReference = Type.Object({
  reference: Type.String({
    description: 'The id or the name of a peer, or the first characters of its id (at least four)',
  }),
})

/** The header of a GET request whose answer has an ETag. */
export const IfNoneMatch = Type.Object({
  'if-none-match': Type.Optional(Type.String({ description: 'The ETag of an earlier answer: 304 if it is unchanged' })),
})
export const NOT_MODIFIED = Type.Null({ description: 'The client has the current version' })

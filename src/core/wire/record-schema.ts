import { type Static, Type } from 'typebox'
import { KEY_PATTERN, MAX_INTERVAL, MIN_INTERVAL } from './messages.ts'

/** The schema of records and of their parts. At run time, only files `*.prebuilt.ts` and other schemas import it. */

// Text that is shown to people has no control characters, so that other hosts cannot control the terminal. No text has an
// unpaired surrogate: JSON can escape it but UTF-8 cannot encode it, and many JSON parsers reject the whole document.
const VISIBLE = '^[^\\p{Cc}\\p{Cs}]*$'
const WELL_FORMED = '^\\P{Cs}*$'
const DIGEST = Type.String({ pattern: '^[A-Za-z0-9_-]{22}$' })

export const NameSchema = Type.String({ minLength: 1, maxLength: 63, pattern: VISIBLE })

export const TextSchema = Type.String({ maxLength: 1024, pattern: WELL_FORMED })

export const ServiceSchema = Type.Object({
  id: Type.String({ minLength: 1, maxLength: 64, pattern: '^[!-~]+$' }),
  name: NameSchema,
  type: Type.String({ pattern: '^_[A-Za-z0-9-]{1,15}\\._(tcp|udp)$' }),
  port: Type.Integer({ minimum: 0, maximum: 65535 }),
  txt: Type.Record(Type.String({ pattern: KEY_PATTERN }), TextSchema, { additionalProperties: false }),
  subtypes: Type.Array(Type.String({ minLength: 1, maxLength: 63, pattern: VISIBLE }), { maxItems: 16 }),
})
/** A service that a peer offers. */
export type Service = Static<typeof ServiceSchema>

const AttributeValueSchema = Type.Union([TextSchema, Type.Number(), Type.Boolean()])
export const AttributesSchema = Type.Record(Type.String({ pattern: KEY_PATTERN }), AttributeValueSchema, {
  additionalProperties: false,
})
export type AttributeValue = Static<typeof AttributeValueSchema>
export type Attributes = Record<string, AttributeValue>

export const RecordSchema = Type.Object({
  name: NameSchema,
  hostname: Type.String({ maxLength: 255, pattern: VISIBLE }),
  /** The sender's addresses on the network to which this copy is sent. IPv6 addresses have no zone. */
  addresses: Type.Array(Type.String({ minLength: 2, maxLength: 45, pattern: '^[0-9A-Fa-f:.]+$' }), { maxItems: 32 }),
  interval: Type.Integer({ minimum: MIN_INTERVAL, maximum: MAX_INTERVAL }),
  services: Type.Array(ServiceSchema, { maxItems: 256 }),
  attributes: AttributesSchema,
  version: Type.String({ maxLength: 64, pattern: VISIBLE }),
  anchor: Type.Object({ sequence: Type.Integer({ minimum: 0, maximum: 0xffffffff }), value: DIGEST }),
  goodbye: DIGEST,
  /** Another record with the same key made this peer begin a new incarnation: the goodbye commitment of that record. */
  supersedes: Type.Optional(DIGEST),
})
/** The signed description of a peer. Members that this version does not know are allowed and dropped. */
export type PeerRecord = Static<typeof RecordSchema>

import { type Static, Type } from 'typebox'
import { MAX_INCARNATION } from '../core/wire/messages.ts'
import { compileSchema } from '../shared/compile-schema.ts'

const StoredSchema = Type.Object({
  privateKey: Type.String(),
  /** Hash of the id of the machine on which the identity was created; empty if the machine has no id. */
  machine: Type.String(),
  incarnation: Type.Integer({ minimum: 0, maximum: MAX_INCARNATION }),
})
export type Stored = Static<typeof StoredSchema>

export const isStored = compileSchema<Stored>(StoredSchema)

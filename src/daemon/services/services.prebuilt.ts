import { Type } from 'typebox'
import {
  type Attributes,
  AttributesSchema,
  NameSchema,
  type Service,
  ServiceSchema,
} from '../../core/wire/record-schema.ts'
import { compileSchema } from '../../shared/compile-schema.ts'
import { type ServiceEntry, ServiceEntrySchema } from './service-schema.ts'

export const isEntry = compileSchema<ServiceEntry>(ServiceEntrySchema)

export const isAttributes = compileSchema<Attributes>(AttributesSchema)

/** The content of `registered.json`. A service without a name takes the peer's name. */
export interface Saved {
  services: (Omit<Service, 'name'> & { name?: string })[]
  attributes: Attributes
}

export const isSaved = compileSchema<Saved>(
  Type.Object({
    services: Type.Array(Type.Object({ ...ServiceSchema.properties, name: Type.Optional(NameSchema) })),
    attributes: AttributesSchema,
  }),
)

import { Ajv } from 'ajv'
import { AttributesSchema, type AttributeValue } from '../../core/wire/record.ts'
import { BadRequest, BadService } from '../../shared/errors.ts'
import { describeValidationErrors, dottedPath } from '../../shared/validation-error.ts'
import { type ServiceEntry, ServiceEntrySchema } from './entry.ts'

const ajv = new Ajv({ strict: false, strictNumbers: true, verbose: true })
const isEntry = ajv.compile<ServiceEntry>(ServiceEntrySchema)
const isAttributes = ajv.compile(AttributesSchema)

/** A service out of a file. @throws BadService, which names the key at fault, what was expected and what was found */
export function checkEntry(value: unknown): ServiceEntry {
  if (isEntry(value)) return value
  const place = (pointer: string) => dottedPath(pointer).replace(/^\./, '')
  throw new BadService(describeValidationErrors(isEntry.errors, place, { schema: ServiceEntrySchema, value }))
}

/** @throws BadRequest, which names the key */
export function checkAttribute(key: string, value: AttributeValue): void {
  if (isAttributes({ [key]: value })) return
  throw new BadRequest(
    `attribute ${JSON.stringify(key)}: expected a text of at most 1024 characters, a number or a boolean, under a key of 1 to 64 printable ASCII characters without spaces`,
  )
}

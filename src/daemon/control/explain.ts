import type { FastifySchemaValidationError } from 'fastify'

/** Ajv's own form of an error, when it was asked to be verbose. */
interface Verbose extends FastifySchemaValidationError {
  parentSchema?: Readonly<Record<string, unknown>>
  data?: unknown
}

/** A value as a message shows it: short, and on one line. */
const SHOWN_CHARACTERS = 60

/**
 * What Ajv found, as a sentence that names the field: in the schema's own words (`x-expected`) where it has some.
 * `where` is the part of the request.
 */
export function explain(where: string, found: readonly Verbose[]): string {
  const [error] = [...found.filter(({ parentSchema }) => expected(parentSchema) !== undefined), ...found]
  if (!error) return `${where} is not valid`
  const { keyword, instancePath, params, message, parentSchema, data } = error
  const field = `${where}${instancePath}`
  const { additionalProperty, missingProperty, allowedValues } = params
  const words = expected(parentSchema)
  if (keyword === 'required') return `${field} has no '${missingProperty}', which is needed`
  if (keyword === 'additionalProperties') {
    const name = shown(String(additionalProperty))
    if (words !== undefined && !parentSchema?.['properties']) return `${field} must have ${words}, not ${name}`
    return `${field} has no ${where === 'querystring' ? 'parameter' : 'field'} ${name}`
  }
  if (words !== undefined) return `${field} must be ${words}, not ${shown(data)}`
  if (Array.isArray(allowedValues)) return `${field} must be one of ${allowedValues.join(', ')}`
  return `${field} ${message ?? 'is not valid'}`
}

function expected(schema: Verbose['parentSchema']): string | undefined {
  const words = schema?.['x-expected']
  return typeof words === 'string' ? words : undefined
}

function shown(value: unknown): string {
  const text = typeof value === 'string' ? `'${value}'` : (JSON.stringify(value) ?? String(value))
  return text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text
}

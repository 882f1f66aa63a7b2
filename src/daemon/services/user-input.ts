import { suggestion } from '../../shared/did-you-mean.ts'
import { BadConfig } from '../../shared/errors.ts'

/** Parses what people write, and describes errors in it: in config files, service files, and requests to the API. */

/**
 * Parses TOML. Loads its parser when it is called, as most daemons have no such file. `place` writes a line and a column, both counted from 1.
 * @throws BadConfig with the place and the reason
 */
export async function parseToml(
  text: string,
  place: (line: number, column: number) => string,
): Promise<Record<string, unknown>> {
  const { parse, TomlError } = await import('smol-toml')
  try {
    return parse(text, { unsafeKeyBehaviour: 'throw' })
  } catch (error) {
    if (!(error instanceof TomlError)) throw error
    const [reason = ''] = error.message.replace('Invalid TOML document: ', '').split('\n')
    throw new BadConfig(`${place(error.line, error.column)}: ${reason}`)
  }
}

/** What Ajv reports with the option `verbose`; Fastify passes on the same. */
interface ValidationError {
  keyword: string
  /** JSON pointer to the part of the value that is wrong. */
  instancePath: string
  params: Record<string, unknown>
  message?: string
  parentSchema?: object
  data?: unknown
}

/** Longer values are cut off in error messages. */
const MAX_SHOWN_CHARACTERS = 60

/**
 * Describes a validation error in one sentence: `PLACE: expected …, found …`. The keyword `x-expected` of a schema says
 * what is expected in plain words; an error with these words is preferred.
 * @param place turns a JSON pointer into the name of the place that it leads to; '' leaves the place out
 * @param whole what is expected of the value as a whole, and the value: they describe an error in a part that has no `x-expected`
 */
export function describeValidationErrors(
  errors: readonly ValidationError[] | null | undefined,
  place: (pointer: string) => string,
  whole?: { expected: string | undefined; value: unknown },
): string {
  const error = errors?.find(({ parentSchema }) => expectedWords(parentSchema)) ?? errors?.[0]
  const where = place(error?.instancePath ?? '')
  const { missingProperty, additionalProperty, allowedValues } = error?.params ?? {}
  if (error?.keyword === 'required') return `${prefix(where)}'${missingProperty}' is missing`
  const unknown = error?.keyword === 'additionalProperties' ? String(additionalProperty) : undefined
  const known = error?.parentSchema && propertiesOf(error.parentSchema)
  if (unknown !== undefined && known) return `${prefix(where)}unknown key '${unknown}'${suggestion(unknown, known)}`
  const words = expectedWords(error?.parentSchema)
  if (words) return expectedButFound(where, words, unknown ?? error?.data)
  if (whole) return expectedButFound(place(''), whole.expected ?? 'another value', whole.value)
  if (Array.isArray(allowedValues)) return expectedButFound(where, `one of ${allowedValues.join(', ')}`, error?.data)
  return `${prefix(where)}${error?.message ?? 'not valid'}`
}

/** `PLACE: expected …, found …`, with the value found as JSON on one line. */
export function expectedButFound(place: string, expected: string, found: unknown): string {
  return `${prefix(place)}expected ${expected}, found ${shorten(JSON.stringify(found) ?? String(found))}`
}

/** Writes a JSON pointer as people write paths: `/0/port` becomes `[0].port`. */
export function dottedPath(pointer: string): string {
  const decode = (part: string) => part.replaceAll('~1', '/').replaceAll('~0', '~')
  return pointer.replace(/\/(\d+)(?=\/|$)|\/([^/]*)/g, (_, index?: string, key = '') =>
    index === undefined ? `.${decode(key)}` : `[${index}]`,
  )
}

function expectedWords(schema: object | undefined): string | undefined {
  const words: unknown = schema && Reflect.get(schema, 'x-expected')
  return typeof words === 'string' ? words : undefined
}

function propertiesOf(schema: object): string[] | undefined {
  const properties: unknown = Reflect.get(schema, 'properties')
  return typeof properties === 'object' && properties !== null ? Object.keys(properties) : undefined
}

function prefix(place: string): string {
  return place && `${place}: `
}

function shorten(text: string): string {
  return text.length > MAX_SHOWN_CHARACTERS ? `${text.slice(0, MAX_SHOWN_CHARACTERS)}…` : text
}

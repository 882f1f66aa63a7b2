import { _, Ajv, type ErrorObject, type Format } from 'ajv'

/**
 * Compiles JSON Schemas to functions that check values. Only files `*.prebuilt.ts` import this at run time. The build
 * replaces these by the functions that Ajv has made, so that no start of earshot loads or runs a schema compiler.
 */

/** Checks a value. After a failed check, `errors` says what is wrong, until the next check. */
export interface Validator<Shape> {
  (value: unknown): value is Shape
  errors?: ErrorObject[] | null
  /** What the schema accepts, in plain words: its keyword `x-expected`. */
  expected?: string | undefined
}

interface SchemaOptions {
  /** Functions for the keyword `format`, and the module that exports them as `FORMATS`, relative to the file that compiles the schema. */
  formats?: { functions: Readonly<Record<string, Format>>; module: string }
  /** Whether texts are converted to the types that the schema names, and a single value to a list: for parameters of a URL. */
  convert?: boolean
}

/** Compiles a schema. Errors carry the part of the schema and of the value that they are about. */
export function compileSchema<Shape>(
  schema: object,
  { formats, convert = false }: SchemaOptions = {},
): Validator<Shape> {
  const ajv = new Ajv({
    strict: false,
    // Rejects Infinity, which `JSON.parse` makes of 1e999 and which JSON cannot represent.
    strictNumbers: true,
    verbose: true,
    ...(convert && { coerceTypes: 'array', useDefaults: true }),
    ...(formats && { formats: { ...formats.functions } }),
    code: { source: true, ...(formats && { formats: _`require(${formats.module}).FORMATS` }) },
  })
  const expected: unknown = Reflect.get(schema, 'x-expected')
  return Object.assign(ajv.compile<Shape>(schema), typeof expected === 'string' && { expected })
}

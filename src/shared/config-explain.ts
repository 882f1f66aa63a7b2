import type { ErrorObject } from 'ajv'
import type { TSchema } from 'typebox'
import { nearest } from './nearest.ts'

/** `found` as an error message shows it: short, and on one line. */
const SHOWN_CHARACTERS = 60

/**
 * What is wrong with a value, for people: `PLACE: expected …, found …`. `errors` are those of Ajv with `verbose`;
 * `place` names what the path leads to, such as `.txt.key`, `[0].port`, or nothing for the whole value.
 */
export function explain(
  schema: TSchema,
  errors: ErrorObject[] | null | undefined,
  whole: unknown,
  place: (path: string) => string,
): string {
  const error = errors?.find(({ parentSchema }) => wordsOf(parentSchema)) ?? errors?.[0]
  const at = beginning(place(pathOf(error?.instancePath ?? '')))
  if (error?.keyword === 'required') return `${at}'${error.params['missingProperty']}' is missing`
  const unknown = error?.keyword === 'additionalProperties' ? String(error.params['additionalProperty']) : undefined
  const known = error?.parentSchema?.['properties']
  if (unknown !== undefined && known) return `${at}unknown key '${unknown}'${suggestion(unknown, Object.keys(known))}`
  const words = wordsOf(error?.parentSchema)
  if (words) return `${at}expected ${words}, found ${shown(unknown ?? error?.data)}`
  // A part that has no words of its own is explained by the whole.
  return `${beginning(place(''))}expected ${wordsOf(schema)}, found ${shown(whole)}`
}

/** ` (did you mean 'interval'?)`, or nothing when no candidate is near. */
export function suggestion(word: string, candidates: Iterable<string>): string {
  const near = nearest(word, candidates)
  return near === undefined ? '' : ` (did you mean '${near}'?)`
}

function wordsOf(schema: object | undefined): string | undefined {
  const words: unknown = schema && Reflect.get(schema, 'x-expected')
  return typeof words === 'string' ? words : undefined
}

function beginning(at: string): string {
  return at && `${at}: `
}

/** `[0].port` out of a JSON pointer. */
function pathOf(pointer: string): string {
  const plain = (part: string) => part.replaceAll('~1', '/').replaceAll('~0', '~')
  return pointer.replace(/\/(\d+)(?=\/|$)|\/([^/]*)/g, (_, index?: string, key = '') =>
    index === undefined ? `.${plain(key)}` : `[${index}]`,
  )
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value)
  return text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text
}

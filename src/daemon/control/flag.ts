import { Type } from 'typebox'

/** A parameter of a query that is on or off. */
export function flag(description: string) {
  return Type.Optional(Type.Enum(['0', '1', 'false', 'true'], { description }))
}

export function isOn(parameter: string | undefined): boolean {
  return parameter === '1' || parameter === 'true'
}

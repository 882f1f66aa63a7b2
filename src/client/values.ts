type Value = string | number | boolean

/**
 * Refuses what JSON has no form for: it would be sent as null, which removes an attribute, or not at all.
 * @throws TypeError, which names the value
 */
export function checkValues(what: string, values: Readonly<Record<string, Value>>): void {
  for (const [key, value] of Object.entries<unknown>(values)) {
    if (typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value)) continue
    throw new TypeError(`${what} '${key}' must be a text, a finite number or a boolean, not ${String(value)}`)
  }
}

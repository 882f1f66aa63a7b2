/** Reads values that were caught as errors: JavaScript can throw anything. */

/** The `code` of an error, as Node.js or the operating system sets it: `ENOENT`, `EADDRINUSE`. Undefined when there is none. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined
}

/** The message of an error; any other value, as text. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** An error as it is; any other value, as the message of a new error. */
export function errorOf(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown))
}

/** Codes that mean that the daemon is away. */
const CONNECTION_CODES = ['EARSHOT_NO_DAEMON', 'EARSHOT_CONNECTION_LOST', 'EARSHOT_TIMED_OUT']
/** Request Timeout and Service Unavailable (RFC 9110, section 15): the daemon is there and too busy. */
const TRANSIENT_STATUSES = [408, 503]

/** An error between an application and the daemon. */
export class EarshotError extends Error {
  /** For programs, never changes: a code of the API, or one of those in docs/CLIENT.md, such as EARSHOT_NO_DAEMON. */
  readonly code: string
  /** HTTP status of the response; undefined when there was no response. */
  readonly status: number | undefined

  constructor(code: string, message: string, options: { status?: number; cause?: unknown } = {}) {
    super(message, { cause: options.cause })
    this.name = 'EarshotError'
    this.code = code
    this.status = options.status
  }
}

/** Whether a later attempt may succeed, because the daemon is away or too busy. Any other error is a definite answer. */
export function isTransient(error: unknown): error is EarshotError {
  if (!(error instanceof EarshotError)) return false
  return CONNECTION_CODES.includes(error.code) || TRANSIENT_STATUSES.includes(error.status ?? 0)
}

/**
 * Calls a function of the application. If it throws, the error becomes an uncaught exception of the process and does not
 * disturb the caller, as with the listeners of an `EventTarget`.
 */
export function callListener<Args extends unknown[]>(listener: (...args: Args) => void, ...args: Args): void {
  try {
    listener(...args)
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}

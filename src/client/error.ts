/** Whatever goes wrong between an application and the daemon. */
export class EarshotError extends Error {
  /** Stable: EARSHOT_NO_DAEMON, EARSHOT_BAD_ANSWER, EARSHOT_CONNECTION_LOST, EARSHOT_TIMED_OUT, or what the API answered. */
  readonly code: string
  /** The answer's HTTP status; undefined when there was no answer. */
  readonly status: number | undefined

  constructor(code: string, message: string, options: { status?: number; cause?: unknown } = {}) {
    super(message, { cause: options.cause })
    this.name = 'EarshotError'
    this.code = code
    this.status = options.status
  }
}

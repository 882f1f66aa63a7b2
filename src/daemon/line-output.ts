import { constants, fstatSync, openSync, write } from 'node:fs'
import { isatty } from 'node:tty'

/** The maximum number of bytes that wait to be written. Further lines are dropped. */
const MAX_WAITING_BYTES = 256 * 1024
/** The delay before a failed write is tried again, ms. It doubles with each failure, up to the maximum. */
const MIN_RETRY_DELAY = 50
const MAX_RETRY_DELAY = 1000

/**
 * Writes lines to standard output or standard error without ever blocking the program: not on a paused terminal, a pipe
 * that nothing reads, or a disk that is full or hangs. Lines that do not fit into the buffer are dropped and counted.
 */
export class LineOutput {
  readonly #fd: number
  readonly #onRecovery: (dropped: number) => void
  /** The bytes that are being written. A line that was written in part is finished before any other. */
  #batch: Buffer = Buffer.alloc(0)
  #waiting: Buffer[] = []
  #waitingBytes = 0
  #dropped = 0
  #isWriting = false
  #timer: NodeJS.Timeout | undefined
  #retryDelay = MIN_RETRY_DELAY

  /** @param onRecovery called with the number of dropped lines when writing works again */
  constructor(fd: number, onRecovery: (dropped: number) => void = () => {}) {
    this.#fd = openNonBlocking(fd)
    this.#onRecovery = onRecovery
  }

  /** Queues a line, which must end with a line break, and returns at once. */
  write(line: string): void {
    const bytes = Buffer.from(line)
    if (this.#waitingBytes + bytes.length > MAX_WAITING_BYTES) {
      this.#dropped++
      return
    }
    this.#waiting.push(bytes)
    this.#waitingBytes += bytes.length
    this.#begin()
  }

  #begin(): void {
    if (this.#isWriting || this.#timer || this.#waitingBytes === 0) return
    if (this.#batch.length === 0) {
      this.#batch = Buffer.concat(this.#waiting)
      this.#waiting = []
    }
    this.#isWriting = true
    // This runs in a thread of libuv's pool, so a disk that hangs blocks only that thread.
    write(this.#fd, this.#batch, 0, this.#batch.length, null, (error, written) => {
      this.#isWriting = false
      if (error || written === 0) this.#retryLater()
      else this.#wrote(written)
    })
  }

  #wrote(bytes: number): void {
    this.#retryDelay = MIN_RETRY_DELAY
    this.#batch = this.#batch.subarray(bytes)
    this.#waitingBytes -= bytes
    const dropped = this.#dropped
    if (this.#waitingBytes === 0 && dropped > 0) {
      this.#dropped = 0
      this.#onRecovery(dropped)
    }
    this.#begin()
  }

  #retryLater(): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#begin()
    }, this.#retryDelay).unref()
    this.#retryDelay = Math.min(2 * this.#retryDelay, MAX_RETRY_DELAY)
  }
}

/**
 * Opens the same file again in non-blocking mode, where a write fails instead of waiting. The given descriptor stays
 * in blocking mode, because other programs may share it.
 */
function openNonBlocking(fd: number): number {
  if (fstatSync(fd).isFile()) return fd
  // The terminal of another user cannot be opened by its own name, but it can be as the session's terminal.
  for (const path of [`/proc/self/fd/${fd}`, ...(isatty(fd) ? ['/dev/tty'] : [])]) {
    try {
      return openSync(path, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY)
    } catch {
      // It is a socket, or a pipe of another user.
    }
  }
  // Node.js makes pipes and sockets non-blocking when it creates their stream.
  void (fd === 2 ? process.stderr : process.stdout)
  return fd
}

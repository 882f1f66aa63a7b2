import { constants, fstatSync, openSync, write } from 'node:fs'
import { isatty } from 'node:tty'

/** Bytes of lines that wait to be written; further lines are dropped. */
const MOST_HELD_BYTES = 256 * 1024
/** What could not be written is tried again after this time, then after twice as long, and so on, ms. */
const FIRST_WAIT = 50
const LONGEST_WAIT = 1000

/**
 * Writes lines to standard output or standard error, and never waits for it: not for a paused terminal, a pipe that
 * nobody reads, or a disk that is full or hangs. Lines for which there is no room are dropped and counted.
 */
export class LineOutput {
  readonly #fd: number
  readonly #onRecovery: (dropped: number) => void
  /** What is being written, or could not be written yet: a line whose beginning is out is finished first. */
  #batch: Buffer = Buffer.alloc(0)
  #waiting: Buffer[] = []
  #heldBytes = 0
  #dropped = 0
  #isWriting = false
  #timer: NodeJS.Timeout | undefined
  #wait = FIRST_WAIT

  /** `onRecovery` is told how many lines were dropped, once lines can be written again. */
  constructor(fd: number, onRecovery: (dropped: number) => void = () => {}) {
    this.#fd = openWithoutWaiting(fd)
    this.#onRecovery = onRecovery
  }

  /** Writes a line, which ends with a line break; returns at once. */
  write(line: string): void {
    const bytes = Buffer.from(line)
    if (this.#heldBytes + bytes.length > MOST_HELD_BYTES) {
      this.#dropped++
      return
    }
    this.#waiting.push(bytes)
    this.#heldBytes += bytes.length
    this.#begin()
  }

  #begin(): void {
    if (this.#isWriting || this.#timer || this.#heldBytes === 0) return
    if (this.#batch.length === 0) {
      this.#batch = Buffer.concat(this.#waiting)
      this.#waiting = []
    }
    this.#isWriting = true
    // In a thread of libuv's pool: a disk that hangs stops that thread only.
    write(this.#fd, this.#batch, 0, this.#batch.length, null, (error, written) => {
      this.#isWriting = false
      if (error || written === 0) this.#retryLater()
      else this.#wrote(written)
    })
  }

  #wrote(bytes: number): void {
    this.#wait = FIRST_WAIT
    this.#batch = this.#batch.subarray(bytes)
    this.#heldBytes -= bytes
    const dropped = this.#dropped
    if (this.#heldBytes === 0 && dropped > 0) {
      this.#dropped = 0
      this.#onRecovery(dropped)
    }
    this.#begin()
  }

  #retryLater(): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#begin()
    }, this.#wait).unref()
    this.#wait = Math.min(2 * this.#wait, LONGEST_WAIT)
  }
}

/**
 * A descriptor for the same file on which writing fails where it would have to wait. Opened anew, so that programs which
 * share the given one are not concerned.
 */
function openWithoutWaiting(fd: number): number {
  if (fstatSync(fd).isFile()) return fd
  // A terminal of another user cannot be opened by its own name, but as the terminal of this session.
  for (const path of [`/proc/self/fd/${fd}`, ...(isatty(fd) ? ['/dev/tty'] : [])]) {
    try {
      return openSync(path, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY)
    } catch {
      // A socket, or a pipe of another user.
    }
  }
  // Node makes pipes and sockets non-blocking when it makes the stream.
  void (fd === 2 ? process.stderr : process.stdout)
  return fd
}

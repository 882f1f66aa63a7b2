import type { WriteStream } from 'node:tty'

/** Control sequences that xterm and all that came after it understand. */
const ENTER = '\x1b[?1049h\x1b[?25l'
const LEAVE = '\x1b[?25h\x1b[?1049l'
const HOME = '\x1b[H'
const CLEAR_LINE = '\x1b[K'
const CLEAR_BELOW = '\x1b[J'

/** The terminal's other screen, on which pictures replace each other; what stood on the first comes back at the end. */
export class Screen {
  readonly #terminal: WriteStream
  readonly #restore = (): void => {
    this.#terminal.write(LEAVE)
  }

  #onResize = (): void => {}

  constructor(terminal: WriteStream) {
    this.#terminal = terminal
    terminal.write(ENTER)
    // However the process ends: a terminal without a cursor is no use to anyone.
    process.once('exit', this.#restore)
  }

  /** Calls back when the terminal's size changes. */
  onResize(listener: () => void): void {
    this.#onResize = listener
    this.#terminal.on('resize', listener)
  }

  /** Replaces the picture without a flicker: lines are overwritten in place. They must fit the terminal. */
  draw(lines: readonly string[]): void {
    const text = lines.map((line) => line + CLEAR_LINE).join('\r\n')
    this.#terminal.write(HOME + text + CLEAR_BELOW)
  }

  close(): void {
    this.#terminal.off('resize', this.#onResize)
    process.off('exit', this.#restore)
    this.#restore()
  }
}

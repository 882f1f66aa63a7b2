import { once } from 'node:events'
import type { WriteStream } from 'node:tty'
import { styleText } from 'node:util'

/** Standard output and standard error: safe text, colours, and the size and alternate screen of the terminal. */

/**
 * Characters that could move the cursor, change colours, start a new line or reverse the reading direction: control
 * characters (C0, C1 and DEL), line and paragraph separators, bidirectional controls, invisible spaces, lone surrogates.
 */
const unprintable = (): RegExp => /[\p{Cc}\p{Cs}\p{Bidi_Control}\p{Zl}\p{Zp}\u200b\u2060\ufeff]/gu

/** Most text. V8 needs a millisecond to create the expression above. */
const PRINTABLE_ASCII = /^[ -~]*$/

/** Makes text from the network safe for one line of a terminal: unprintable characters become `\x1b` or `\u{202e}`. */
export function printable(text: string): string {
  if (PRINTABLE_ASCII.test(text)) return text
  return text.replace(unprintable(), (character) => {
    const code = character.codePointAt(0) ?? 0
    const hex = code.toString(16)
    return code <= 0xff ? `\\x${hex.padStart(2, '0')}` : `\\u{${hex}}`
  })
}

/** JSON of a value, with unprintable characters in strings escaped as `\u001b`. It parses back to the same value. */
export function printableJson(value: unknown, indent?: number): string {
  const text = JSON.stringify(value, null, indent)
  // JSON.stringify escapes C0 characters in strings, so line breaks in its output are indentation.
  return text.replace(unprintable(), (character) =>
    character === '\n' ? character : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

export type Format = 'bold' | 'dim' | 'red' | 'green' | 'yellow'
/** Adds a colour or weight to text, or returns it unchanged where colours are off. */
export type Style = (format: Format, text: string) => string

export const plain: Style = (_format, text) => text

/** Colours on a terminal, unless `NO_COLOR` is set or `TERM` is `dumb`. */
export function styleFor(terminal: boolean, env: NodeJS.ProcessEnv): Style {
  if (!terminal || env['NO_COLOR'] || env['TERM'] === 'dumb') return plain
  return (format, text) => styleText(format, text, { validateStream: false })
}

/** Where a command writes. */
export interface Output {
  /** Whether standard output is a terminal. */
  readonly terminal: boolean
  /** Current width of the terminal in columns; infinite when standard output is no terminal. */
  readonly width: number
  /** Current height of the terminal in lines; infinite when standard output is no terminal. */
  readonly height: number
  readonly style: Style
  /** Writes lines to standard output. Resolves when more may be written. */
  write(...lines: string[]): Promise<void>
  /** Switches the terminal to its alternate screen until the screen is closed. */
  screen(): Screen
  /** Writes one line to standard error. */
  warn(text: string): void
}

const DEFAULT_WIDTH = 80
const DEFAULT_HEIGHT = 24

/** Standard output and standard error of this process. `exitOnWriteError` handles the errors of standard output. */
export function processOutput(): Output {
  const { stdout } = process
  const terminal = stdout.isTTY === true
  return {
    terminal,
    get width() {
      return terminal ? stdout.columns || DEFAULT_WIDTH : Number.POSITIVE_INFINITY
    },
    get height() {
      return terminal ? stdout.rows || DEFAULT_HEIGHT : Number.POSITIVE_INFINITY
    },
    style: styleFor(terminal, process.env),
    async write(...lines) {
      const hasRoom = stdout.write(lines.map((line) => `${line}\n`).join(''))
      if (!hasRoom) await once(stdout, 'drain')
    },
    screen: () => new Screen(stdout),
    warn(text) {
      // Node creates the stream when it is first used.
      const { stderr } = process
      if (stderr.listenerCount('error') === 0) stderr.on('error', () => {})
      stderr.write(`earshot: ${text}\n`)
    },
  }
}

/** Control sequences of xterm, which all later terminals understand. */
const ENTER_ALTERNATE_SCREEN = '\x1b[?1049h\x1b[?25l'
const LEAVE_ALTERNATE_SCREEN = '\x1b[?25h\x1b[?1049l'
const CURSOR_HOME = '\x1b[H'
const CLEAR_REST_OF_LINE = '\x1b[K'
const CLEAR_BELOW = '\x1b[J'

/** The terminal's alternate screen. Closing it, or the end of the process, restores the normal screen and the cursor. */
class Screen {
  readonly #terminal: WriteStream
  readonly #restore = (): void => {
    this.#terminal.write(LEAVE_ALTERNATE_SCREEN)
  }

  #onResize = (): void => {}

  constructor(terminal: WriteStream) {
    this.#terminal = terminal
    terminal.write(ENTER_ALTERNATE_SCREEN)
    process.once('exit', this.#restore)
  }

  /** Calls the listener when the terminal's size changes. */
  onResize(listener: () => void): void {
    this.#onResize = listener
    this.#terminal.on('resize', listener)
  }

  /** Replaces what is shown. Lines are overwritten in place, so that the screen does not flicker; they must fit on it. */
  draw(lines: readonly string[]): void {
    const text = lines.map((line) => line + CLEAR_REST_OF_LINE).join('\r\n')
    this.#terminal.write(CURSOR_HOME + text + CLEAR_BELOW)
  }

  close(): void {
    this.#terminal.off('resize', this.#onResize)
    process.off('exit', this.#restore)
    this.#restore()
  }
}

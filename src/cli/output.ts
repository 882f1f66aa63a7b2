import { once } from 'node:events'
import { Screen } from './screen.ts'
import { plain, type Style, styleFor } from './style.ts'

/** Where a command writes. */
export interface Output {
  /** Whether standard output is a terminal. */
  readonly terminal: boolean
  /** Columns of the terminal as it is now; infinite when there is none. */
  readonly width: number
  /** Lines of the terminal as it is now; infinite when there is none. */
  readonly height: number
  readonly style: Style
  /** Writes lines to standard output; resolves when more may be written. */
  write(...lines: string[]): Promise<void>
  /** Takes the whole terminal, as an editor does, until it is closed. */
  screen(): Screen
  /** Writes a remark to standard error, as one line. */
  remark(text: string): void
}

const WIDTH_UNLESS_KNOWN = 80
const HEIGHT_UNLESS_KNOWN = 24

/**
 * Standard output and standard error of this process. A reader that goes away, as `| head` does, ends the process
 * quietly: nobody is left to work for.
 */
export function processOutput(): Output {
  const { stdout, stderr } = process
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0)
    stderr.write(`earshot: cannot write: ${error.message}\n`)
    process.exit(1)
  })
  stderr.on('error', () => {})
  const terminal = stdout.isTTY === true
  return {
    terminal,
    get width() {
      return terminal ? stdout.columns || WIDTH_UNLESS_KNOWN : Number.POSITIVE_INFINITY
    },
    get height() {
      return terminal ? stdout.rows || HEIGHT_UNLESS_KNOWN : Number.POSITIVE_INFINITY
    },
    style: terminal ? styleFor(terminal, process.env) : plain,
    async write(...lines) {
      const taken = stdout.write(lines.map((line) => `${line}\n`).join(''))
      if (!taken) await once(stdout, 'drain')
    },
    screen: () => new Screen(stdout),
    remark(text) {
      stderr.write(`earshot: ${text}\n`)
    },
  }
}

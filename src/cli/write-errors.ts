/**
 * Ends the process if its standard output cannot be written: without a message if the reader has closed the pipe, as
 * `| head` does.
 * @param program its name, for the message
 */
export function exitOnWriteError(program: string): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0)
    const { stderr } = process
    stderr.on('error', () => {})
    stderr.write(`${program}: cannot write: ${error.message}\n`)
    process.exit(1)
  })
}

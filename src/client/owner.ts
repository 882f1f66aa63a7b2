import { basename } from 'node:path'
import { codeOf } from '../shared/caught-error.ts'

/** The publications of this process that are going on. */
const active = new Set<string>()
let count = 0

const FORM = / \(process (\d+), publication \d+\)$/

/** A name for one publication, which tells others what program holds a service: `shop.js (process 4711, publication 1)`. */
export function beginOwner(): string {
  const program = basename(process.argv[1] ?? process.title).replace(/[^!-~]/g, '?')
  const owner = `${program.slice(0, 64)} (process ${process.pid}, publication ${++count})`
  active.add(owner)
  return owner
}

export function endOwner(owner: string): void {
  active.delete(owner)
}

/** Whether a registration was left behind: the process that made it has ended on this machine, or no longer keeps it up. */
export function isLeftBehind(owner: string | undefined): boolean {
  const [, digits] = FORM.exec(owner ?? '') ?? []
  if (digits === undefined || owner === undefined) return false
  const number = Number(digits)
  return number === process.pid ? !active.has(owner) : !isRunning(number)
}

function isRunning(id: number): boolean {
  try {
    return process.kill(id, 0)
  } catch (error) {
    // Another user's.
    return codeOf(error) === 'EPERM'
  }
}

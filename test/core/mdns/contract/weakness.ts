import { test } from 'vitest'

/**
 * What a library does today and we work around. A failure is no fault of ours: the next version does it otherwise, and
 * the work-around is to be looked at again.
 */
export function weakness(library: string, does: string, ours: string, check: () => void | Promise<void>): void {
  test(`${library} ${does} (when this fails it no longer does, and ours may go: ${ours})`, check)
}

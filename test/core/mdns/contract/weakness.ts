import { test } from 'vitest'

/**
 * A current behaviour of a library for which this project has a workaround. If the test fails, nothing is broken: a
 * newer version behaves differently, and the workaround should be reviewed.
 */
export function weakness(library: string, does: string, workaround: string, check: () => void | Promise<void>): void {
  test(`${library} ${does} (if this fails, review the workaround in ${workaround})`, check)
}

import { describe, test } from 'vitest'
import { labAvailable, mdnsAvailable } from './ability.ts'

/**
 * `describe` for tests that need the lab. Where it is not available they are skipped as one test that names the reason;
 * with EARSHOT_REQUIRE_LAB=1 in the environment that one test fails instead.
 */
export function describeLab(name: string, body: () => void): void {
  describeUnless(labAvailable(), name, body)
}

/** The same for tests that need a real Avahi and a real python-zeroconf as well. */
export function describeMdnsLab(name: string, body: () => void): void {
  describeUnless(labAvailable() ?? mdnsAvailable(), name, body)
}

function describeUnless(reason: string | undefined, name: string, body: () => void): void {
  if (reason === undefined) {
    describe(name, body)
    return
  }
  describe(name, () => {
    const line = `needs the lab, not available here: ${reason}`
    if (process.env['EARSHOT_REQUIRE_LAB'] === '1') {
      test(line, () => {
        throw new Error(`EARSHOT_REQUIRE_LAB=1, but ${reason}`)
      })
    } else {
      test(line, (context) => context.skip(reason))
      console.warn(`skipped: ${name} (${line})`)
    }
  })
}

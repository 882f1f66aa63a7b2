import { describe, test } from 'vitest'
import { labUnavailableReason, mdnsUnavailableReason } from './availability.ts'

/**
 * `describe` for tests that need the lab. If the lab is not available, one skipped test replaces them and names the
 * reason. With EARSHOT_REQUIRE_LAB=1 in the environment, that test fails instead.
 */
export function describeLab(name: string, body: () => void): void {
  describeUnless(labUnavailableReason(), name, body)
}

/** Like `describeLab`, for tests that also need a real Avahi and a real python-zeroconf. */
export function describeMdnsLab(name: string, body: () => void): void {
  describeUnless(labUnavailableReason() ?? mdnsUnavailableReason(), name, body)
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

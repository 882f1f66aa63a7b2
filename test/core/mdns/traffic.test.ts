import { expect, test } from 'vitest'
import { Crowd, hostnameOf } from './tools/crowd.ts'

/** Bytes per second: while and after many hosts start together, after some join, leave and fail, and in quiet hours. */
function figuresOf(count: number) {
  const crowd = new Crowd()
  for (let i = 0; i < count; i++) {
    crowd.join()
    crowd.run(40)
  }
  const start = crowd.run(60_000)
  const next = crowd.run(240_000)
  for (let i = 0; i < 2; i++) {
    crowd.join()
    crowd.run(1000)
  }
  const [first, second, third] = crowd.members
  if (!first || !second || !third) throw new Error('too few')
  crowd.leave(first)
  crowd.leave(second)
  crowd.kill(third)
  const churn = crowd.run(60_000)
  const quiet = crowd.run(1_800_000)
  return { crowd, gone: [first, second, third], figures: { start, next, churn, quiet } }
}

/** The maximum bytes per second. Avahi with as many services sends 1100 with 50 hosts. */
const BOUNDS = {
  10: { start: 1000, next: 60, churn: 500, quiet: 30 },
  50: { start: 3300, next: 150, churn: 1100, quiet: 100 },
}

test.each([10, 50] as const)(
  "%i hosts that receive each other's beacons cause little mDNS traffic",
  (count) => {
    const { crowd, gone, figures } = figuresOf(count)
    for (const phase of ['start', 'next', 'churn', 'quiet'] as const) {
      expect({ phase, bytes: figures[phase], most: BOUNDS[count][phase] }).toSatisfy(({ bytes, most }) => bytes <= most)
    }
    // Each host discovers all others and notices which are gone.
    for (const member of crowd.members) {
      for (const other of crowd.members) {
        if (other === member) continue
        expect(member.seen.get(hostnameOf(other))).toMatchObject({ state: 'alive', services: [{ type: '_http._tcp' }] })
      }
      for (const each of gone) expect(['left', 'failed', undefined]).toContain(member.seen.get(hostnameOf(each))?.state)
    }
  },
  300_000,
)

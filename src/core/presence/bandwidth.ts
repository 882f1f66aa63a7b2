import { BEAT_BODY_BYTES, HEADER_BYTES } from '../wire/index.ts'

/** One beat on the wire, bits: with IPv4 and UDP (28 bytes) and Ethernet (14 bytes). */
const BEAT_BITS = 8 * (HEADER_BYTES + BEAT_BODY_BYTES + 28 + 14)
/** The interval is halved only when the load would then stay this far below the budget. */
const HALVE_BELOW = 0.7

/**
 * The beat interval (ms) that keeps a segment of `peers`, ourselves among them, on `paths` shared paths within
 * `budget` bits per second: doubled or halved from `current`, never below `base`. RTCP's rule (RFC 3550, section
 * 6.2) in powers of two, so that the peers of a segment agree.
 */
export function beatInterval(current: number, base: number, peers: number, paths: number, budget: number): number {
  const loadAt = (interval: number) => (peers * paths * BEAT_BITS * 1000) / interval
  let interval = current
  while (loadAt(interval) > budget) interval *= 2
  while (interval > base && loadAt(interval / 2) <= HALVE_BELOW * budget) interval /= 2
  return Math.max(base, interval)
}

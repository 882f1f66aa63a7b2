import { randomBytes } from 'node:crypto'
import type { Random } from '../core/random.ts'

/** The system's random numbers. */
export const random: Random = {
  number: Math.random,
  bytes: (length) => randomBytes(length),
}

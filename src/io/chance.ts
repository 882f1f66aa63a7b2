import { randomBytes } from 'node:crypto'
import type { Chance } from '../core/presence/index.ts'

/** Real chance. */
export const chance: Chance = {
  number: Math.random,
  bytes: (length) => randomBytes(length),
}

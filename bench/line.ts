import type { Figure } from './figures.ts'
import type { Programs } from './programs.ts'

interface Bench {
  readonly programs: Programs
  /** The short form, which measures less often and for less time. */
  readonly short: boolean
}

/** A part of the benchmark, which can run alone. */
export interface Line {
  /** The name for `--only`. */
  readonly name: string
  /** Whether the short form leaves it out. */
  readonly onlyInFull?: boolean
  measure(bench: Bench): Promise<Figure[]>
}

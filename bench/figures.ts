/** What is measured, and how it is compared with its goal. */

export type Unit = 'ms' | 'µs' | 'MiB' | 'ms/s' | 's/min'

/** A limit for a figure. */
export interface Goal {
  /** For the ratio of the figure to its reference, or for the figure itself if it has no reference. */
  limit: number
  /** The limit of the short form, which a busy machine never misses. */
  short: number
  /** Whether the figure has to reach the limit instead of staying below it. Default: false. */
  atLeast?: boolean
}

export interface Figure {
  what: string
  unit: Unit
  measured: number
  /** The same of a bare Node program. */
  reference?: number
  /** Absent: the figure is only reported. */
  goal?: Goal
}

/** The number that is compared with the goal: the ratio to the reference, if there is one. With `atLeast`, what is compared is a rate, so the ratio is inverse. */
export function compared({ measured, reference, goal }: Figure): number {
  if (reference === undefined) return measured
  return goal?.atLeast ? reference / measured : measured / reference
}

/** Whether a figure reaches its goal. A figure without a goal does. */
export function passes(figure: Figure, short: boolean): boolean {
  const { goal } = figure
  if (!goal) return true
  const limit = short ? goal.short : goal.limit
  // A figure that could not be measured is NaN, which misses every goal.
  return goal.atLeast ? compared(figure) >= limit : compared(figure) <= limit
}

/** The median. @throws RangeError without figures */
export function median(figures: readonly number[]): number {
  const sorted = figures.toSorted((a, b) => a - b)
  const upper = sorted[Math.floor(sorted.length / 2)]
  const lower = sorted[Math.ceil(sorted.length / 2) - 1]
  if (upper === undefined || lower === undefined) throw new RangeError('no figures')
  return (lower + upper) / 2
}

/**
 * Runs measurements in turn, `rounds` times, so that other load on the machine affects all of them. Resolves with the results of each.
 */
export async function inTurn<Result, Name extends string>(
  rounds: number,
  measurements: Record<Name, () => Promise<Result>>,
): Promise<Record<Name, Result[]>> {
  const names = Object.keys(measurements) as Name[]
  const results = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<Name, Result[]>
  for (let round = 0; round < rounds; round++) {
    for (const name of names) results[name].push(await measurements[name]())
  }
  return results
}

/** Suggests the known word for a misspelt one: a flag, a command, a configuration key, an interface. */

/** ` (did you mean '--interval'?)`, where `prefix` is `--`; empty when no candidate is close enough. */
export function suggestion(word: string, candidates: Iterable<string>, prefix = ''): string {
  const match = nearest(word, candidates)
  return match === undefined ? '' : ` (did you mean '${prefix}${match}'?)`
}

/**
 * The candidate with the smallest edit distance from `word`, ignoring case. Undefined when every candidate differs in more
 * than a third of the characters of `word` (at least one difference is allowed).
 */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined
  let least = Math.max(1, Math.floor(word.length / 3)) + 1
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase())
    if (distance < least) {
      least = distance
      best = candidate
    }
  }
  return best
}

/**
 * The number of insertions, deletions, replacements and swaps of adjacent characters that turn one word into the other
 * (optimal string alignment distance).
 */
function editDistance(from: string, to: string): number {
  const rows: number[][] = [Array.from({ length: to.length + 1 }, (_, column) => column)]
  const at = (row: number, column: number): number => rows[row]?.[column] ?? 0
  for (let row = 1; row <= from.length; row++) {
    rows.push([row])
    for (let column = 1; column <= to.length; column++) {
      const same = from[row - 1] === to[column - 1]
      let least = Math.min(at(row - 1, column) + 1, at(row, column - 1) + 1, at(row - 1, column - 1) + (same ? 0 : 1))
      const swapped = row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1]
      if (swapped) least = Math.min(least, at(row - 2, column - 2) + 1)
      rows[row]?.push(least)
    }
  }
  return at(from.length, to.length)
}

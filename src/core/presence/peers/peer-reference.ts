import { isPeerId, SHOWN_ID_CHARACTERS } from '../../wire/id.ts'

/** A reference shorter than this cannot be the beginning of an id. */
const MIN_PREFIX = 4

/** How a reference matches a peer. A lower number is a better match. */
const BY_ID = 0
const BY_NAME = 1
const BY_PREFIX = 2

/**
 * Returns the candidates that match a reference best. In this order, a reference can be:
 * - a peer id, or at least its first eight characters,
 * - a name, or the host name of a host found by mDNS,
 * - at least four characters with which an id or host name begins.
 *
 * A host name with a final dot (`printer.local.`) never matches a peer's name.
 */
export function bestMatches<Candidate extends { id: string; name: string }>(
  reference: string,
  candidates: Iterable<Candidate>,
): Candidate[] {
  const match = referenceMatcher(reference)
  let best = Number.POSITIVE_INFINITY
  let matches: Candidate[] = []
  for (const candidate of candidates) {
    const rank = match(candidate)
    if (rank === undefined || rank > best) continue
    if (rank < best) matches = []
    best = rank
    matches.push(candidate)
  }
  return matches
}

/**
 * Returns a function that ranks how the reference matches a candidate: lower is better, undefined is no match. There may be
 * many candidates, so everything that depends only on the reference is computed once.
 */
export function referenceMatcher(reference: string): (candidate: { id: string; name: string }) => number | undefined {
  // A text in the form of a peer id is never a name.
  if (isPeerId(reference)) return ({ id }) => (reference === id ? BY_ID : undefined)
  const lower = reference.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())
  const withoutDot = lower.endsWith('.') ? lower.slice(0, -1) : undefined
  const mayBePrefix = lower.length >= MIN_PREFIX
  const isShortId = lower.length >= SHOWN_ID_CHARACTERS
  return ({ id, name }) => {
    const isPrefix = mayBePrefix && id.startsWith(lower)
    // A prefix as long as a displayed id means that id, even if another peer has it as its name.
    if (isPrefix && isShortId && isPeerId(id)) return BY_ID
    if (withoutDot === id && !isPeerId(id)) return BY_ID
    if (reference === name || lower === id) return BY_NAME
    return isPrefix ? BY_PREFIX : undefined
  }
}

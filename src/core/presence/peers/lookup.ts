import { isPeerId, SHOWN_ID_CHARACTERS } from '../../wire/id.ts'

/** Fewer characters of an id are no reference to a peer. */
const SHORTEST_BEGINNING = 4

/** How a reference means a peer: the lower goes before the higher. */
const BY_ID = 0
const BY_NAME = 1
const BY_BEGINNING = 2

/**
 * Of these candidates, those that a person may mean: by id (whole, or its first eight characters or more), else by name or
 * by the host name of mDNS, else by four characters or more that begin an id or a host name. A host name with a final
 * dot (`printer.local.`) is never a peer's name.
 */
export function closest<Candidate extends { id: string; name: string }>(
  reference: string,
  candidates: Iterable<Candidate>,
): Candidate[] {
  const wayOf = waysOf(reference)
  let best = Number.POSITIVE_INFINITY
  let meant: Candidate[] = []
  for (const candidate of candidates) {
    const way = wayOf(candidate)
    if (way === undefined || way > best) continue
    if (way < best) meant = []
    best = way
    meant.push(candidate)
  }
  return meant
}

/**
 * How the reference means a candidate, undefined where it does not: lower numbers go before higher ones. What depends on
 * the reference alone is found out once, as there may be many candidates.
 */
export function waysOf(reference: string): (candidate: { id: string; name: string }) => number | undefined {
  // What looks like a whole id is no name.
  if (isPeerId(reference)) return ({ id }) => (reference === id ? BY_ID : undefined)
  const lower = reference.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())
  const withoutDot = lower.endsWith('.') ? lower.slice(0, -1) : undefined
  const mayBegin = lower.length >= SHORTEST_BEGINNING
  const isAsLongAsShown = lower.length >= SHOWN_ID_CHARACTERS
  return ({ id, name }) => {
    const begins = mayBegin && id.startsWith(lower)
    // What begins an id and is as long as ids are shown is no name, whoever is called so.
    if (begins && isAsLongAsShown && isPeerId(id)) return BY_ID
    if (withoutDot === id && !isPeerId(id)) return BY_ID
    if (reference === name || lower === id) return BY_NAME
    return begins ? BY_BEGINNING : undefined
  }
}

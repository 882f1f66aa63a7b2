import { isPeerId, SHOWN_ID_CHARACTERS } from '../wire/index.ts'

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
  let best = Number.POSITIVE_INFINITY
  let meant: Candidate[] = []
  for (const candidate of candidates) {
    const way = wayOf(reference, candidate)
    if (way === undefined || way > best) continue
    if (way < best) meant = []
    best = way
    meant.push(candidate)
  }
  return meant
}

function wayOf(reference: string, { id, name }: { id: string; name: string }): number | undefined {
  if (reference === id && isPeerId(id)) return BY_ID
  // What looks like a whole id is no name. Nor is what begins an id and is as long as ids are shown, whoever is called so.
  if (isPeerId(reference)) return undefined
  const lower = reference.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())
  if (isPeerId(id) ? lower.length >= SHOWN_ID_CHARACTERS && id.startsWith(lower) : lower === `${id}.`) return BY_ID
  if (reference === name || lower === id) return BY_NAME
  return lower.length >= SHORTEST_BEGINNING && id.startsWith(lower) ? BY_BEGINNING : undefined
}

/** What `Map` and `Set` have in common. The keys are in the order in which they were added. */
interface Keyed<Key> {
  readonly size: number
  keys(): Iterable<Key>
  delete(key: Key): boolean
}

/** Deletes the oldest keys, so that at most `most` remain. */
export function keepNewest<Key>(items: Keyed<Key>, most: number): void {
  if (items.size <= most) return
  for (const oldest of items.keys()) {
    items.delete(oldest)
    if (items.size <= most) return
  }
}

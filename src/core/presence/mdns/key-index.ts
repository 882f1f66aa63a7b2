/** Which owners have which keys, looked up from either side. */
export class KeyIndex<Owner extends string> {
  readonly #owners = new Map<string, Set<Owner>>()
  readonly #keys = new Map<Owner, readonly string[]>()

  /** These take the place of the keys that the owner had. */
  set(owner: Owner, keys: readonly string[]): void {
    for (const key of this.keysOf(owner)) {
      const owners = this.#owners.get(key)
      owners?.delete(owner)
      if (owners?.size === 0) this.#owners.delete(key)
    }
    if (keys.length === 0) this.#keys.delete(owner)
    else this.#keys.set(owner, keys)
    for (const key of keys) {
      const owners = this.#owners.get(key)
      if (owners) owners.add(owner)
      else this.#owners.set(key, new Set([owner]))
    }
  }

  keysOf(owner: Owner): readonly string[] {
    return this.#keys.get(owner) ?? []
  }

  ownersOf(key: string): Owner[] {
    return [...(this.#owners.get(key) ?? [])]
  }
}

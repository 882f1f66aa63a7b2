import type { Namespace } from './namespace.ts'

/**
 * The nftables rules of one hook, stored by key. Every change loads the complete ruleset, so the active rules do not
 * depend on the order of the changes.
 */
export class Ruleset {
  #namespace: Namespace
  #family: 'bridge' | 'inet'
  #hook: 'forward' | 'input'
  #rules = new Map<string, readonly string[]>()
  #loading: Promise<void> = Promise.resolve()

  constructor(namespace: Namespace, family: 'bridge' | 'inet', hook: 'forward' | 'input') {
    this.#namespace = namespace
    this.#family = family
    this.#hook = hook
  }

  /** Replaces the rules of this key. An empty list removes them. Resolves when the rules are active. */
  set(key: string, lines: readonly string[]): Promise<void> {
    if (lines.length === 0) {
      if (!this.#rules.delete(key)) return this.#loading
    } else {
      this.#rules.set(key, lines)
    }
    return this.#load()
  }

  /** Removes the rules of every key that `matches` accepts. */
  async remove(matches: (key: string) => boolean): Promise<void> {
    const removed = [...this.#rules.keys()].filter(matches)
    if (removed.length === 0) return this.#loading
    for (const key of removed) this.#rules.delete(key)
    return this.#load()
  }

  #load(): Promise<void> {
    // In sequence: the last ruleset to be loaded must be the latest one.
    const load = (): Promise<void> => this.#namespace.nft(this.#render())
    this.#loading = this.#loading.then(load, load)
    return this.#loading
  }

  #render(): string {
    const table = `table ${this.#family} lab`
    const chain = [`type filter hook ${this.#hook} priority 0; policy accept;`, ...[...this.#rules.values()].flat()]
    // The declaration of the empty table makes its deletion succeed on the first load, too.
    return `${table} {}\ndelete ${table}\n${table} {\n chain lab {\n  ${chain.join('\n  ')}\n }\n}\n`
  }
}

import type { Namespace } from './namespace.ts'

/**
 * The nftables rules of one hook, kept by key and loaded as a whole whenever one changes: what is in force
 * is then always what the lab believes, in whatever order things were switched on and off.
 */
export class RuleBook {
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

  /** Replaces the rules under this key (none: removes them). Resolves when they are in force. */
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
    const doomed = [...this.#rules.keys()].filter(matches)
    if (doomed.length === 0) return this.#loading
    for (const key of doomed) this.#rules.delete(key)
    return this.#load()
  }

  #load(): Promise<void> {
    // One after the other: the last one to load has to be the last one that was asked for.
    const load = (): Promise<void> => this.#namespace.nft(this.#render())
    this.#loading = this.#loading.then(load, load)
    return this.#loading
  }

  #render(): string {
    const table = `table ${this.#family} lab`
    const chain = [`type filter hook ${this.#hook} priority 0; policy accept;`, ...[...this.#rules.values()].flat()]
    // Naming the empty table first makes its deletion succeed on the first load too.
    return `${table} {}\ndelete ${table}\n${table} {\n chain lab {\n  ${chain.join('\n  ')}\n }\n}\n`
  }
}

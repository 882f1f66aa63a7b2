/** Items that wait until they are taken. Taking none makes no garbage: most datagrams bring none. */
export class Pending<Item> {
  #items: Item[] = []

  get isEmpty(): boolean {
    return this.#items.length === 0
  }

  add(...items: readonly Item[]): void {
    this.#items.push(...items)
  }

  take(): Item[] {
    const items = this.#items
    if (items.length > 0) this.#items = []
    return items
  }
}

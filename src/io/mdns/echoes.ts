/** How long a message may take to come back to its sender, ms. */
const LOOPBACK_WINDOW = 2000
/** So many messages are remembered at most. */
const MAX_SENT = 512

interface SentMessage {
  until: number
  /** How often it was sent on each link and has not come back yet. */
  pendingByLink: Map<string, number>
}

/**
 * Tells our own messages, which the system hands back to us, from equal ones of other programs on this machine: two
 * that browse for the same thing ask the same question with the same bytes.
 */
export class LoopbackFilter {
  readonly #sent = new Map<string, SentMessage>()

  /** @param link interface and IP version */
  sent(link: string, bytes: Buffer, now: number): void {
    const key = bytes.toString('latin1')
    const entry = this.#sent.get(key) ?? { until: 0, pendingByLink: new Map() }
    this.#sent.delete(key)
    this.#sent.set(key, entry)
    entry.until = now + LOOPBACK_WINDOW
    entry.pendingByLink.set(link, (entry.pendingByLink.get(link) ?? 0) + 1)
    for (const [oldest, { until }] of this.#sent) {
      if (this.#sent.size <= MAX_SENT && until > now) break
      this.#sent.delete(oldest)
    }
  }

  /**
   * Whether a message from this machine is one of ours come back: once on each link for each time it was sent there,
   * and always on those where it was not sent, as two interfaces may be in one network.
   */
  isLoopback(link: string, bytes: Buffer, now: number): boolean {
    const entry = this.#sent.get(bytes.toString('latin1'))
    if (entry === undefined || entry.until < now) return false
    const due = entry.pendingByLink.get(link)
    if (due === undefined) return true
    if (due === 0) return false
    entry.pendingByLink.set(link, due - 1)
    return true
  }
}

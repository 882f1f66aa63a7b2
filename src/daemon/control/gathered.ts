/**
 * Makes one call of `act` out of many in one go, as when one datagram brings several changes: in the microtask
 * behind them, and so still before any further I/O.
 */
export function gathered(act: () => void): () => void {
  let isPlanned = false
  return () => {
    if (isPlanned) return
    isPlanned = true
    queueMicrotask(() => {
      isPlanned = false
      act()
    })
  }
}

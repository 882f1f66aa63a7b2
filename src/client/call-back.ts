/**
 * Calls a function of the program. What it throws changes nothing here: it becomes an uncaught exception of the program,
 * as what a listener of an `EventTarget` throws does.
 */
export function callBack<Args extends unknown[]>(callback: (...args: Args) => void, ...args: Args): void {
  try {
    callback(...args)
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}

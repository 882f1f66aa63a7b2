/**
 * The time of a monotonic clock: milliseconds since an arbitrary moment. Setting the wall clock does not change it. The daemon
 * does not use Node's `performance`, which takes 0.8 MiB of memory.
 */
export function monotonicNow(): number {
  const [seconds, nanoseconds] = process.hrtime()
  return seconds * 1000 + nanoseconds / 1e6
}

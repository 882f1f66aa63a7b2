/**
 * The time of a monotonic clock: milliseconds since an arbitrary moment. Setting the wall clock does not change it. The daemon
 * does not use Node's `performance`, which takes 0.8 MiB of memory.
 */
export function monotonicNow(): number {
  // Destructuring would take twice as long: the clock is read thirty times for each beat.
  const time = process.hrtime()
  return time[0] * 1000 + time[1] / 1e6
}

// Node loads this before the daemon (--require). SIGUSR2 begins to watch the event loop; the next SIGUSR2 prints for how
// long it was blocked at a time, at most, as a line {"blockedMs":1.5}, and ends it.
const { writeSync } = require('node:fs')
const { monitorEventLoopDelay } = require('node:perf_hooks')

/** The interval at which the timer of the histogram fires, ms. It counts as blocked as well. */
const RESOLUTION = 1
let histogram

process.on('SIGUSR2', () => {
  if (histogram === undefined) {
    histogram = monitorEventLoopDelay({ resolution: RESOLUTION })
    histogram.enable()
    return
  }
  // Later, because the timer itself may be waiting for the end of the block.
  setTimeout(() => {
    histogram.disable()
    // Not with the console, which belongs to the daemon.
    writeSync(1, `${JSON.stringify({ blockedMs: Math.max(0, histogram.max / 1e6 - RESOLUTION) })}\n`)
    histogram = undefined
  }, 2 * RESOLUTION)
})

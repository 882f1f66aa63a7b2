import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, test } from 'vitest'

const SHUTDOWN = new URL('../built/daemon/shutdown.js', import.meta.url).href

/** Starts a process that never ends by itself, sends it signals, 50 ms apart, and returns how and when it ended. */
async function run(what: string, ...signals: NodeJS.Signals[]) {
  const log = '{ info() {}, fatal() {} }'
  const code = `import { untilShutdown } from '${SHUTDOWN}'
    setInterval(() => {}, 1000)
    untilShutdown(${log}).then(({ finish }) => { ${what} })
    console.log('ready')`
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['pipe', 'pipe', 'ignore'] })
  const exit = once(child, 'exit')
  await once(child.stdout, 'data')
  const began = performance.now()
  for (const signal of signals) {
    child.kill(signal)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  const [status, signal] = await exit
  return { status, signal, took: performance.now() - began }
}

test('the process ends soon, after a second, even if something does not stop', async () => {
  const { status, signal, took } = await run('', 'SIGTERM')
  expect([status, signal]).toEqual([null, 'SIGTERM'])
  expect(took).toBeGreaterThan(800)
  expect(took).toBeLessThan(5000)
})

test('a second SIGTERM ends the process at once, a second SIGINT does not', async () => {
  // Without the second signal it would end by the first.
  expect((await run('', 'SIGINT', 'SIGTERM')).signal).toBe('SIGTERM')
  expect((await run('', 'SIGINT', 'SIGINT', 'SIGHUP')).took).toBeGreaterThan(800)
})

test('SIGHUP is ignored without a terminal', async () => {
  const { signal } = await run("process.exit(signal === 'SIGHUP' ? 1 : 0)", 'SIGHUP', 'SIGHUP', 'SIGKILL')
  expect(signal).toBe('SIGKILL')
})

test('an uncaught exception shuts down', async () => {
  expect(await run('process.exit(0)', 'SIGTERM')).toMatchObject({ status: 0 })
  const thrown = await run("process.exit(7)} ); setImmediate(() => { throw new Error('unexpected')")
  expect(thrown).toMatchObject({ status: 7 })
})

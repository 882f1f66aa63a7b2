import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, test } from 'vitest'

const SHUTDOWN = new URL('../../dist/daemon/shutdown.js', import.meta.url).href

/** A process that has work left for ever; sends it these signals, ms after each other, and tells how and when it ended. */
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

test('comes within a second also when something does not stop', async () => {
  const { status, signal, took } = await run('', 'SIGTERM')
  expect([status, signal]).toEqual([null, 'SIGTERM'])
  expect(took).toBeGreaterThan(800)
  expect(took).toBeLessThan(5000)
})

test('comes at once with a second SIGTERM, and not with a second SIGINT', async () => {
  // Without the second signal it would end by the first.
  expect((await run('', 'SIGINT', 'SIGTERM')).signal).toBe('SIGTERM')
  expect((await run('', 'SIGINT', 'SIGINT', 'SIGHUP')).took).toBeGreaterThan(800)
})

test('goes on upon SIGHUP where there is no terminal', async () => {
  const { signal } = await run("process.exit(signal === 'SIGHUP' ? 1 : 0)", 'SIGHUP', 'SIGHUP', 'SIGKILL')
  expect(signal).toBe('SIGKILL')
})

test('comes with an exception that nobody has caught', async () => {
  expect(await run('process.exit(0)', 'SIGTERM')).toMatchObject({ status: 0 })
  const thrown = await run("process.exit(7)} ); setImmediate(() => { throw new Error('unexpected')")
  expect(thrown).toMatchObject({ status: 7 })
})

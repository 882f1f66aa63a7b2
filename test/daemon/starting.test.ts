import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, onTestFinished, test } from 'vitest'
import { EARSHOTD } from '../installed.ts'
import { temporaryDirectory } from '../temporary-directory.ts'

/** Raises SIGTERM when the daemon loads the bundle of mDNS, which it does after its first beat. */
const HOOK = `
const vm = require('node:vm')
vm.Script = class extends vm.Script {
  constructor(text, options) {
    super(text, options)
    if (options.filename.includes('/mdns-')) process.emit('SIGTERM', 'SIGTERM')
  }
}`

test('a signal during the start ends the daemon before it is ready, and leaves nothing behind', async () => {
  const directory = await temporaryDirectory()
  const hook = join(directory, 'hook.cjs')
  writeFileSync(hook, HOOK)
  const socket = join(directory, 'socket')
  const flags = ['--interface', 'lo', '--state-dir', join(directory, 'state'), '--socket', socket, '--port', '15398']
  const daemon = spawn(
    process.execPath,
    ['--require', hook, EARSHOTD, ...flags, '--http', 'off', '--log-format', 'json'],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  const ended = once(daemon, 'exit')
  onTestFinished(() => void daemon.kill('SIGKILL'))
  const log = await text(daemon.stdout)
  expect(await ended).toEqual([0, null])
  expect(log).toContain('"msg":"using interface"')
  expect(log).toContain('"msg":"leaving"')
  expect(log).not.toContain('"msg":"ready"')
  expect(existsSync(socket)).toBe(false)
})

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { run } from './command.ts'

const directory = mkdtempSync(join(tmpdir(), 'earshotd-'))
afterAll(() => rmSync(directory, { recursive: true }))

test.each([
  [['--interval', 'soon'], '--interval: expected a duration such as 500ms, 2s or 5m, found "soon"'],
  [['--intervall', '1s'], "unknown flag '--intervall' (did you mean '--interval'?)"],
  [['--no-mdns', '--port', '0'], '--port: expected a port from 1 to 65535, found 0'],
  [['--mdns', 'maybe'], '--mdns: expected true, false, or in the file a table [mdns] with browse, found "maybe"'],
  [
    ['--mdns', 'false', '--mdns-browse', 'ipp', '--mdns-browse', '!'],
    '--mdns-browse: expected a service type such as ipp, _ipp._tcp or osc/udp (at most 62 letters, digits, - and _), or * for all, found "!"',
  ],
  [['--state-dir'], "--state-dir needs a value (see 'earshotd --help')"],
  [['start'], "unexpected argument 'start' (see 'earshotd --help')"],
])('%j is wrong usage: one line and exit status 2', async (args, message) => {
  expect(await run('earshotd', args)).toEqual({ status: 2, stdout: '', stderr: `earshotd: ${message}\n` })
})

test('an invalid config file is reported with its line, and exit status 2', async () => {
  const file = join(directory, 'wrong.toml')
  writeFileSync(file, 'port = 15353\ninterval = \n')
  const { status, stderr } = await run('earshotd', ['--config', file])
  expect(status).toBe(2)
  expect(stderr).toMatch(new RegExp(`^earshotd: ${file}:2:\\d+: [^\\n]+\\n$`))
})

test('a failure at start is one line, and exit status 1', async () => {
  const stateDir = join(directory, 'a-file', 'state')
  writeFileSync(join(directory, 'a-file'), '')
  const args = ['--state-dir', stateDir, '--socket', join(directory, 'sock'), '--http', 'off', '--log-level', 'silent']
  const { status, stderr } = await run('earshotd', args)
  expect(status).toBe(1)
  expect(stderr).toMatch(/^earshotd: cannot use the state directory [^\n]+\n$/)
})

test('--help lists flags with their defaults', async () => {
  const { status, stdout } = await run('earshotd', ['--help'])
  expect(status).toBe(0)
  expect(stdout).toMatch(/--interval {2,}Time between beats.*\[default: 1s\]/)
  expect(stdout).toMatch(/--state-dir {2,}\S.*\[default: \$XDG_STATE_HOME\/earshot\]/)
})

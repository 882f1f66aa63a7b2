import { readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { completionScripts, help } from '../../src/cli/help.prebuilt.ts'
import { document } from '../../src/daemon/control/operations/openapi.prebuilt.ts'
import { run, runOnTerminal } from '../cli/command.ts'
import { PACKAGE } from '../installed.ts'

// In the tests, these files run as they are. The package has the values of their exports.
const COMMANDS = join(PACKAGE, 'dist/commands')
const load = createRequire(join(COMMANDS, '/'))
const bundleOf = (name: string) => `./${readdirSync(COMMANDS).find((file) => file.startsWith(`${name}-`))}`

test('the prepared help, completion scripts and OpenAPI document are those that the sources make', () => {
  expect(load(bundleOf('help.prebuilt'))).toEqual({ help, completionScripts })
  expect(load(bundleOf('openapi.prebuilt'))).toEqual({ document: JSON.parse(JSON.stringify(document)) })
})

test('earshot prints the prepared texts', async () => {
  for (const [name, { pipe, terminal }] of Object.entries(help)) {
    const args = name === '' ? ['--help'] : [name, '--help']
    expect(await run('earshot', args)).toEqual({ status: 0, stdout: `${pipe}\n`, stderr: '' })
    expect((await runOnTerminal(80, args)).stdout).toBe(`${terminal}\n`)
  }
  for (const [shell, script] of Object.entries(completionScripts)) {
    const env = { SHELL: `/bin/${shell}` }
    expect(await run('earshot', ['completion'], { env })).toEqual({ status: 0, stdout: `${script}\n`, stderr: '' })
  }
})

test('both commands print the version of the package', async () => {
  const { version } = load('../../package.json')
  for (const command of ['earshot', 'earshotd'] as const) {
    expect(await run(command, ['--version'])).toEqual({ status: 0, stdout: `${version}\n`, stderr: '' })
  }
})

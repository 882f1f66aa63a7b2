import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { EARSHOT, EARSHOTD } from '../installed.ts'

const COMMANDS = [
  [EARSHOT, '--version'],
  [EARSHOT, '--help'],
  [EARSHOT, 'completion'],
  [EARSHOT, 'no-such-command', '--help'],
  [EARSHOTD, '--version'],
  [EARSHOTD, '--help'],
]

/** Runs a command by a line of shell in which it is `"$@"`. */
function runInShell(script: string, [program = '', ...args]: readonly string[]) {
  const { status, stderr } = spawnSync('bash', ['-c', script, 'bash', process.execPath, program, ...args], {
    encoding: 'utf8',
  })
  return { status, stderr }
}

test.each(COMMANDS)('%s %s ends with an error of one line if the disk is full', (...command) => {
  const { status, stderr } = runInShell('"$@" > /dev/full', command)
  expect(stderr).toMatch(/^earshotd?: cannot write: ENOSPC: [^\n]*\n$/)
  expect(status).toBe(1)
})

test.each(COMMANDS)('%s %s ends without a message if nobody reads', (...command) => {
  const closed = '(read -r; "$@"; echo "status $?" >&2) < <(sleep 0.1; echo) | true'
  expect(runInShell(closed, command).stderr).toBe('status 0\n')
})

import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const CHECK = fileURLToPath(new URL('./check_beacon.py', import.meta.url))
const BEACON = fileURLToPath(new URL('../../../docs/examples/beacon.py', import.meta.url))
// The command line tool of OpenSSL supports Ed25519 since 3.0.
const hasTools =
  spawnSync('python3', ['-c', 'import sys; sys.exit(sys.version_info < (3, 9))']).status === 0 &&
  /^OpenSSL (?:[3-9]|\d\d)/.test(spawnSync('openssl', ['version'], { encoding: 'utf8' }).stdout ?? '')

describe.skipIf(!hasTools)('docs/examples/beacon.py', () => {
  it('reads and writes every vector as this implementation does', () => {
    const env = { ...process.env, PYTHONDONTWRITEBYTECODE: '1' }
    const { status, stdout, stderr } = spawnSync('python3', [CHECK], { encoding: 'utf8', env })
    expect(stderr).toBe('')
    expect(status).toBe(0)
    expect(stdout).toMatch(/^\d{3,} checks\n$/)
  })

  it('stays short enough to read', () => {
    expect(readFileSync(BEACON, 'utf8').trimEnd().split('\n').length).toBeLessThanOrEqual(250)
  })
})

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { loadConfig } from '../../../src/daemon/config/config.ts'
import { DEFAULTS } from '../../../src/daemon/config/defaults.ts'
import { daemonOptions } from '../../../src/daemon/config/settings.ts'

const guide = readFileSync(new URL('../../../docs/CONFIG.md', import.meta.url), 'utf8')

test('docs/CONFIG.md lists exactly the existing settings, with variables and defaults', () => {
  const rows = [...guide.matchAll(/^\| `([a-z0-9-]+)` \| `(EARSHOT_[A-Z0-9_]+)` \| (.+?) \| /gm)]
  expect(rows.map(([, key]) => key).sort()).toEqual(Object.keys(daemonOptions).sort())
  for (const [, key = '', variable, shown] of rows) {
    expect(variable).toBe(`EARSHOT_${key.toUpperCase().replaceAll('-', '_')}`)
    const known = Object.entries(DEFAULTS).find(([name]) => name === key)
    if (known) expect(shown).toBe(`\`${known[1]}\``)
  }
})

test('the example of docs/CONFIG.md is a valid file', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'earshot-docs-'))
  const path = join(directory, 'example.toml')
  writeFileSync(path, /```toml\n([^`]*)```/.exec(guide)?.[1] ?? '')
  const facts = { env: {}, uid: 1000, home: '/h', hostname: 'h', temporaryDirectory: directory, terminal: false }
  const config = await loadConfig({ config: path }, facts)
  rmSync(directory, { recursive: true })
  expect(config).toMatchObject({ name: 'kitchen', interval: 2000, http: undefined, attributes: { floor: 2 } })
  expect(config.services.map(({ id, type }) => `${id} ${type}`)).toEqual([
    'shopping-list _http._tcp',
    'mixer _osc._udp',
  ])
})

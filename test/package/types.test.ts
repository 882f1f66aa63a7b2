import { execFile } from 'node:child_process'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const BUILT = ['dist/shared/api.d.ts', 'dist/shared/self-api.d.ts']
const SOURCES = ['src/shared/api.ts', 'src/shared/self-api.ts']

/** The exported types of a file, which are written in both kinds of files at the beginning of a line. */
async function typesOf(path: string): Promise<string[]> {
  const text = await readFile(join(ROOT, path), 'utf8')
  const declared = text.matchAll(/^export (?:interface|type) (\w+)/gm)
  const passedOn = text.matchAll(/^export type \{ (\w+) \} from/gm)
  return [...declared, ...passedOn].map(([, name = '']) => name).sort()
}

test('the types of the API in the package are those of the schemas', async () => {
  const directory = join(ROOT, 'test/built/types')
  await mkdir(directory, { recursive: true })
  onTestFinished(() => rm(directory, { recursive: true }))
  const lines = [
    // Undefined if a value of each type may be used as the other.
    'type Difference<One, Other> = [One] extends [Other] ? ([Other] extends [One] ? undefined : One) : Other',
  ]
  for (const [index, source] of SOURCES.entries()) {
    const built = BUILT[index] ?? ''
    const names = await typesOf(source)
    expect(names).not.toEqual([])
    expect(await typesOf(built)).toEqual(expect.arrayContaining(names))
    lines.push(
      `import type * as built${index} from '../../../${built.replace('.d.ts', '.js')}'`,
      `import type * as source${index} from '../../../${source}'`,
      ...names.map(
        (name) => `export const ${name}: Difference<built${index}.${name}, source${index}.${name}> = undefined`,
      ),
    )
  }
  await writeFile(join(directory, 'same.ts'), lines.join('\n'))
  const config = { extends: '../../../tsconfig.json', include: ['same.ts'] }
  await writeFile(join(directory, 'tsconfig.json'), JSON.stringify(config))
  const tsc = [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', directory]
  const { stdout } = await promisify(execFile)(process.execPath, tsc).catch((error) => error)
  expect(stdout).toBe('')
})

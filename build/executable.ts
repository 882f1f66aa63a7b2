import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { Script } from 'node:vm'
import { rolldown } from 'rolldown'
import { functionOf } from '../src/cli/bundle-loader.ts'
import { joinLicences } from './licences.ts'

/**
 * Builds the single executable in `dist/exe`: a copy of the Node that runs this program, with the bundles in `dist/commands` and their
 * compiled code. `npm run build:exe` runs it with the newest LTS.
 */

const COMMANDS = 'dist/commands'
const OUTPUT = 'dist/exe'
/** The licence of Node and of all that it contains, in the package that npm has installed. */
const NODE_LICENCE = join(dirname(process.execPath), '../LICENSE')

/**
 * The code of all functions in a source. V8 usually leaves out functions that have not been called. It does not accept code that was made with
 * other flags, so the flag is set only while it compiles.
 */
function compile(source: string): Buffer {
  setFlagsFromString('--no-lazy')
  const script = new Script(source)
  setFlagsFromString('--lazy')
  return script.createCachedData()
}

/** Writes the bundles and their code into a directory. Returns their paths by the names under which `src/cli/executable.ts` finds them. */
async function writeAssets(directory: string): Promise<Record<string, string>> {
  const assets: Record<string, string> = {}
  const write = async (name: string, content: string | Buffer) => {
    const path = join(directory, name)
    await writeFile(path, content)
    assets[name] = path
  }
  for (const name of await readdir(COMMANDS)) {
    const bundle = await readFile(join(COMMANDS, name), 'utf8')
    await write(name, bundle)
    await write(`${name}.code`, compile(functionOf(bundle)))
  }
  return assets
}

async function bundleMain(file: string): Promise<void> {
  const bundle = await rolldown({ input: 'src/cli/executable.ts', platform: 'node' })
  await bundle.write({ file, format: 'cjs' })
  await bundle.close()
}

/** Copies Node without its symbols, a fifth of its size. Afterwards nothing may be stripped: that would remove the bundles. */
function strippedNode(file: string): string {
  try {
    execFileSync('strip', ['-o', file, process.execPath])
    return file
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return process.execPath
    throw error
  }
}

const directory = await mkdtemp(join(tmpdir(), 'earshot-executable-'))
try {
  await rm(OUTPUT, { recursive: true, force: true })
  await mkdir(OUTPUT, { recursive: true })
  const main = join(directory, 'main.cjs')
  await bundleMain(main)
  const config = {
    main,
    executable: strippedNode(join(directory, 'node')),
    output: join(OUTPUT, 'earshot'),
    assets: await writeAssets(directory),
    disableExperimentalSEAWarning: true,
    // NODE_OPTIONS are meant for the user's own Node, which may be another version.
    execArgvExtension: 'none',
  }
  await writeFile(join(directory, 'config.json'), JSON.stringify(config))
  execFileSync(process.execPath, ['--build-sea', join(directory, 'config.json')], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  await symlink('earshot', join(OUTPUT, 'earshotd'))
  const licences = [
    await readFile('LICENSE', 'utf8'),
    await readFile('dist/LICENCES.txt', 'utf8'),
    await readFile(NODE_LICENCE, 'utf8'),
  ]
  await writeFile(join(OUTPUT, 'LICENCES.txt'), joinLicences(licences))
} finally {
  await rm(directory, { recursive: true })
}

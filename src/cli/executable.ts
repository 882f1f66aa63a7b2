import { basename } from 'node:path'
import { getAsset, getRawAsset } from 'node:sea'
import { BundleLoader } from './bundle-loader.ts'

/**
 * The single executable: runs one of the commands, from the bundles that `build/executable.ts` has put into the executable together with their
 * compiled code. A name that begins with `earshotd` runs the daemon, every other name the command.
 */

const loader = new BundleLoader(
  {
    directory: process.execPath,
    text: (name) => getAsset(name, 'utf8'),
    code: (name) => new Uint8Array(getRawAsset(`${name}.code`) as ArrayBuffer),
  },
  () => false,
)

loader.load(basename(process.argv0).startsWith('earshotd') ? 'earshotd.cjs' : 'earshot.cjs')

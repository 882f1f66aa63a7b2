import { join } from 'node:path'
import { inject } from 'vitest'

/** The package as a user has it: `build.ts` has packed it, and installed the tarball globally. */

declare module 'vitest' {
  interface ProvidedContext {
    /** The packed package. */
    tarball: string
    /** The directory into which `npm install --global` has installed it. */
    prefix: string
  }
}

export const TARBALL = inject('tarball')
const PREFIX = inject('prefix')

/** The directory of the installed package. */
export const PACKAGE = join(PREFIX, 'lib/node_modules/earshot')

/** The commands that the installation has put into the path of its users. */
export const EARSHOT = join(PREFIX, 'bin/earshot')
export const EARSHOTD = join(PREFIX, 'bin/earshotd')

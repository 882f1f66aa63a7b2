import { defineConfig, type OutputOptions } from 'rolldown'
import { clientTypes } from './build/client-types.ts'
import { leftOut } from './build/left-out.ts'
import { licences } from './build/licences.ts'
import { prebuilt } from './build/prebuilt.ts'

/**
 * V8 keeps the text of the code that it runs, with two bytes for each character of a file that has one outside of ASCII. Escaping those characters and
 * shortening local names takes 3 MiB from the daemon. Lines, and the names of functions and classes, stay: a stack trace shows them.
 */
const COMPACT: OutputOptions['minify'] = {
  compress: false,
  mangle: { keepNames: { function: true, class: true } },
  codegen: { removeWhitespace: false, asciiOnly: true },
}

/** The bundles in `dist`: the two commands with all that they need, and the library for applications. */
export default defineConfig([
  {
    input: {
      'compile-cache': 'src/cli/compile-cache.ts',
      earshot: 'src/cli/earshot.ts',
      earshotd: 'src/cli/earshotd.ts',
    },
    platform: 'node',
    // The first: a part of yargs that is not used asks for import.meta.
    checks: { emptyImportMeta: false, bundlerTimings: false },
    plugins: [prebuilt(), leftOut(), licences('dist/LICENCES.txt')],
    // CommonJS starts faster than ES modules: Node loads one file of it for each file of the other in half the time, and does
    // not load undici for everything that `node:http` exports.
    output: {
      dir: 'dist/commands',
      format: 'cjs',
      entryFileNames: '[name].cjs',
      // A daemon loads some bundles late. If another version has been installed meanwhile, it does not find them, instead of calling wrong functions.
      chunkFileNames: '[name]-[hash].cjs',
      // Otherwise this module would be in the bundle of the program `earshotd`, and the bundle of the daemon would have to load the program.
      codeSplitting: { groups: [{ name: 'line-output', test: /\/src\/daemon\/line-output\.ts$/ }] },
      cleanDir: true,
      comments: false,
      minify: COMPACT,
    },
  },
  {
    input: 'src/client/index.ts',
    platform: 'node',
    checks: { bundlerTimings: false },
    plugins: [prebuilt(), clientTypes()],
    output: { dir: 'dist/client', format: 'esm', sourcemap: true },
  },
])

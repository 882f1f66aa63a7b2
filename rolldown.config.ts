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

/**
 * Modules that are put into one bundle, with all that they import. Each file costs a command about a millisecond, more than code that is not called.
 * - What both programs and most parts of the daemon share, with the parser of command lines.
 * - `earshot ls`, with the client. Other commands share most of it, and the daemon loads nothing of it.
 * - Otherwise `line-output` would be in the bundle of the program `earshotd`, and the bundle of the daemon would have to load the program.
 */
const GROUPS = [
  {
    name: 'common',
    test: /\/src\/(cli\/(quick-parser|errors)|shared\/(duration|service-names|peer-state|socket-paths|service-changes|link-local)|core\/wire\/id)\.ts$/,
    priority: 1,
  },
  { name: 'ls', test: /\/src\/cli\/(run|ls)\.ts$/ },
  { name: 'line-output', test: /\/src\/daemon\/line-output\.ts$/ },
]

/** The bundles in `dist`: the two commands with all that they need, the program that loads these bundles, and the library for applications. */
export default defineConfig([
  {
    input: {
      earshot: 'src/cli/earshot.ts',
      earshotd: 'src/cli/earshotd.ts',
    },
    platform: 'node',
    // The first: a part of yargs that is not used asks for import.meta.
    checks: { emptyImportMeta: false, bundlerTimings: false },
    plugins: [prebuilt(), leftOut(), licences('dist/LICENCES.txt')],
    // Node loads a CommonJS file in half the time of an ES module. If an ES module imports `node:http`, Node loads undici, too.
    output: {
      dir: 'dist/commands',
      format: 'cjs',
      entryFileNames: '[name].cjs',
      // A daemon loads some bundles late. If another version has been installed meanwhile, it does not find them, instead of calling wrong functions.
      chunkFileNames: '[name]-[hash].cjs',
      codeSplitting: { groups: GROUPS },
      cleanDir: true,
      comments: false,
      minify: COMPACT,
    },
  },
  {
    input: 'src/cli/start.ts',
    platform: 'node',
    checks: { bundlerTimings: false },
    output: { file: 'dist/commands/start.cjs', format: 'cjs', comments: false, minify: COMPACT },
  },
  {
    input: 'src/client/index.ts',
    platform: 'node',
    checks: { bundlerTimings: false },
    plugins: [prebuilt(), clientTypes()],
    output: { dir: 'dist/client', format: 'esm', sourcemap: true },
  },
])

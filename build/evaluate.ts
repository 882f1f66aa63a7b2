import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { rolldown } from 'rolldown'

/** Bundles a module with all that it imports from this project, imports the bundle, and returns its exports. */
export async function evaluate(path: string): Promise<Record<string, unknown>> {
  // Two levels below the top of the project, like the folders of src: the version is read relative to the bundle.
  const directory = await mkdtemp(join(import.meta.dirname, '.evaluated-'))
  try {
    const bundle = await rolldown({ input: path, platform: 'node', external: /^[^./]/ })
    const { output } = await bundle.write({ dir: directory, entryFileNames: '[name].mjs' })
    await bundle.close()
    return await import(pathToFileURL(join(directory, output[0].fileName)).href)
  } finally {
    await rm(directory, { recursive: true })
  }
}

import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Plugin } from 'rolldown'

/** Writes the licences of all packages that have code in the bundle into a file. @throws if a package has none */
export function licences(path: string): Plugin {
  return {
    name: 'licences',
    async generateBundle(_options, bundle) {
      const modules = Object.values(bundle).flatMap((chunk) => (chunk.type === 'chunk' ? chunk.moduleIds : []))
      const packages = new Set(modules.flatMap((id) => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(id) ?? []))
      const texts = await Promise.all([...packages].sort().map(licenceOf))
      await writeFile(path, joinLicences([...new Set(texts)]))
    },
  }
}

/** One text of several licences, with a line between them. */
export function joinLicences(texts: readonly string[]): string {
  return texts.join(`\n${'─'.repeat(80)}\n\n`)
}

/** Name, version and licence of the package in a directory. */
async function licenceOf(directory: string): Promise<string> {
  const { name, version, license, author } = JSON.parse(await readFile(join(directory, 'package.json'), 'utf8'))
  const file = (await readdir(directory)).find((entry) => /^licen[cs]e/i.test(entry))
  const text = file === undefined ? await standardText(license, author) : await readFile(join(directory, file), 'utf8')
  if (!text) throw new Error(`${name}: the package has no text of its licence`)
  return `${name} ${version} (${license})\n\n${text.trim()}\n`
}

/** The licence of a package that only names it: if it is MIT, the text of earshot's own with the author of the package. */
async function standardText(license: unknown, author: unknown): Promise<string | undefined> {
  if (license !== 'MIT' || typeof author !== 'string') return undefined
  return (await readFile('LICENSE', 'utf8')).replace(/^Copyright .*$/m, `Copyright (c) ${author}`)
}

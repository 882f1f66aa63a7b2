import { writeFile } from 'node:fs/promises'
import { compile } from 'json-schema-to-typescript'
import type { Plugin } from 'rolldown'
import { evaluate } from './evaluate.ts'

/** The modules with the schemas of the API, and the files with their types that the compiler has written into `dist`. */
const MODULES = ['src/shared/api.ts', 'src/shared/self-api.ts']
const TYPES = 'dist/shared/api.d.ts'
const SELF_TYPES = 'dist/shared/self-api.d.ts'

/**
 * Writes the types of the API as interfaces, with the descriptions of the schemas as their comments. The types that the compiler derives from the
 * schemas would need the schema library, which the package does not install.
 */
export function clientTypes(): Plugin {
  return {
    name: 'client-types',
    async writeBundle() {
      const schemas: [type: string, schema: object][] = []
      for (const module of MODULES) schemas.push(...namedSchemas(await evaluate(module)))
      const typeOf = new Map(schemas.map(([type, schema]) => [Reflect.get(schema, '$id'), type]))
      const interfaces: string[] = []
      for (const [type, schema] of schemas) {
        const text = JSON.stringify(schema, (key, value) => (key === '$id' ? undefined : value))
        // A reference to another schema becomes the name of its type.
        const named = JSON.parse(text, (_key, value) =>
          value?.$ref ? { tsType: typeOf.get(value.$ref.slice(0, -1)) } : value,
        )
        interfaces.push(await compile(named, type, { additionalProperties: false, bannerComment: '' }))
      }
      await writeFile(TYPES, interfaces.join('\n'))
      await writeFile(SELF_TYPES, "export type { Self } from './api.js'\n")
    },
  }
}

/** The exports `…Schema` of a module with the names of their types. */
function namedSchemas(exports: Record<string, unknown>): [type: string, schema: object][] {
  return Object.entries(exports).flatMap(([name, value]) => {
    const [, type] = /^(.+)Schema$/.exec(name) ?? []
    return type !== undefined && typeof value === 'object' && value !== null ? [[type, value]] : []
  })
}

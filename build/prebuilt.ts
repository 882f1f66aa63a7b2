import { Ajv, type ValidateFunction } from 'ajv'
import standaloneCode from 'ajv/dist/standalone/index.js'
import type { Plugin } from 'rolldown'
import { evaluate } from './evaluate.ts'

/**
 * Evaluates files `*.prebuilt.ts` during the build. The bundle gets the values of their exports instead of their code: validators as the
 * code that Ajv has made of their schemas, everything else as JSON.
 */

/** Separates the path of a file from the number of one of its validators. */
const VALIDATOR = /^(.+\.prebuilt\.ts)\?validator=(\d+)$/

type Exports = Record<string, unknown>

export function prebuilt(): Plugin {
  const validators = new Map<string, string>()
  return {
    name: 'prebuilt',
    resolveId: {
      filter: { id: VALIDATOR },
      handler: (id) => id,
    },
    load: {
      filter: { id: /\.prebuilt\.ts(\?validator=\d+)?$/ },
      async handler(id) {
        const validator = validators.get(id)
        if (validator !== undefined) return { code: validator, moduleType: 'js' }
        return { code: moduleOf(await evaluate(id), id, validators), moduleType: 'js' }
      },
    },
  }
}

/** The source of a module with the same exports. */
function moduleOf(exports: Exports, id: string, validators: Map<string, string>): string {
  const imports: string[] = []
  const literal = (value: unknown): string => {
    if (isValidator(value)) {
      const module = `${id}?validator=${imports.length}`
      validators.set(module, sourceOf(value))
      return `v${imports.push(`import v${imports.length} from ${JSON.stringify(module)}`) - 1}`
    }
    if (Array.isArray(value)) return `[${value.map(literal).join(', ')}]`
    if (typeof value === 'object' && value !== null) {
      return `{ ${Object.entries(value)
        .map(([key, member]) => `${JSON.stringify(key)}: ${literal(member)}`)
        .join(', ')} }`
    }
    if (typeof value === 'function') throw new Error(`${id}: a function that is no validator cannot be prebuilt`)
    return JSON.stringify(value) ?? 'undefined'
  }
  const lines = Object.entries(exports).map(([name, value]) => `export const ${name} = ${literal(value)}`)
  return [...imports, ...lines].join('\n')
}

function isValidator(value: unknown): value is ValidateFunction {
  return typeof value === 'function' && 'source' in value
}

/** The code of a validator as a module that exports it as its default. */
function sourceOf(validator: ValidateFunction & { expected?: string }): string {
  const code = standaloneCode.default(new Ajv({ code: { source: true, esm: true, lines: true } }), validator)
  return `${code}\n${validator.source?.validateName}.expected = ${JSON.stringify(validator.expected)}\n`
}

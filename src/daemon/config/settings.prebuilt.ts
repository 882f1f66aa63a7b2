import type { TSchema } from 'typebox'
import { compileSchema, type Validator } from '../../shared/compile-schema.ts'
import { FORMATS } from './formats.ts'
import { configSetting, type RawSettings, settings, tables } from './schema.ts'

/** What the schema of the settings says: how each setting is written as a flag, and the functions that check the values. */

export type SettingKey = keyof typeof settings
export type TableKey = keyof typeof tables

/** A setting as a flag and in the environment. */
export interface FlagDescription {
  /** How its value is written there. */
  kind: 'list' | 'boolean' | 'integer' | 'text'
  description: string
  /** The default as the help shows it. */
  shownDefault: string | undefined
}

type FlagKey = SettingKey | 'config'
const schemas: Record<FlagKey, TSchema> = { config: configSetting, ...settings }

/** The settings that can be given as a flag. */
export const flags: Readonly<Record<string, FlagDescription>> = Object.fromEntries(
  Object.entries(schemas).map(([key, schema]) => [key, describeFlag(schema)]),
)

/** The settings that can be given in the file only. */
export const tableKeys: readonly string[] = Object.keys(tables)

/** Checks a value of each setting. */
export const validators = compileAll({ ...settings, ...tables })

function describeFlag(schema: TSchema): FlagDescription {
  const { type, items, description, placeholder, default: value }: Record<string, unknown> = { ...schema }
  return {
    kind: items !== undefined ? 'list' : type === 'boolean' || type === 'integer' ? type : 'text',
    description: String(description),
    shownDefault: value === undefined ? (placeholder === undefined ? undefined : String(placeholder)) : String(value),
  }
}

function compileAll(schemas: Record<SettingKey | TableKey, TSchema>) {
  const formats = { functions: FORMATS, module: './formats.ts' }
  const compiled: Partial<Record<string, Validator<unknown>>> = {}
  for (const [key, schema] of Object.entries(schemas)) compiled[key] = compileSchema(schema, { formats })
  return compiled as { [Key in SettingKey | TableKey]: Validator<RawSettings[Key]> }
}

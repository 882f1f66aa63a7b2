import type { Options } from 'yargs'
import { listFlag, textFlag } from '../../shared/flags.ts'
import { annotation, configSetting, isSettingKey, settings } from './schema.ts'

/** The daemon's flags for yargs: every setting that is not for the file only, with its description and default. */
export const daemonOptions: Readonly<Record<string, Options>> = Object.fromEntries(
  Object.entries({ config: configSetting, ...settings }).map(([key, schema]) => {
    const shown = 'default' in schema ? String(schema.default) : annotation(schema, 'placeholder')
    // Numbers are taken as text too: the schema's check says better what is wrong with `--port abc`.
    const option: Options = isList(key) ? listFlag : textFlag
    return [key, { ...option, ...describe(schema), ...(shown !== undefined && { defaultDescription: shown }) }]
  }),
)

/** Whether a setting is a list, and so a flag that may be repeated. */
export function isList(key: string): boolean {
  return isSettingKey(key) && 'items' in settings[key]
}

/** Whether a setting is a boolean where a text spells one. */
export function isBoolean(key: string): boolean {
  return isSettingKey(key) && 'type' in settings[key] && settings[key].type === 'boolean'
}

/** Whether a setting is a number where a text spells one. */
export function isWholeNumber(key: string): boolean {
  return isSettingKey(key) && 'type' in settings[key] && settings[key].type === 'integer'
}

function describe(schema: Parameters<typeof annotation>[0]): Options {
  const description = annotation(schema, 'description')
  return description === undefined ? {} : { describe: description }
}

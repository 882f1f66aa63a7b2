import type { Options } from 'yargs'
import { listFlag, textFlag } from '../../shared/flags.ts'
import { type FlagDescription, flags, type SettingKey, type TableKey, tableKeys } from './settings.prebuilt.ts'

/** The names of the settings, as flags, in the environment and in the file. */

/** The setting that can be given as a flag and in the environment only. */
const CONFIG = 'config'

/** The keys of the settings that can be given as a flag, in the environment, and in the file. */
export const SETTING_KEYS: readonly string[] = Object.keys(flags).filter((key) => key !== CONFIG)

export function isSettingKey(key: string): key is SettingKey {
  return key !== CONFIG && Object.hasOwn(flags, key)
}

export function isTableKey(key: string): key is TableKey {
  return tableKeys.includes(key)
}

/** How the value of a setting is written as a flag and in the environment. */
export function kindOf(key: string): FlagDescription['kind'] {
  return flags[key]?.kind ?? 'text'
}

/** The environment variable of a setting: `EARSHOT_STATE_DIR` for `state-dir`. */
export function environmentVariable(key: string): string {
  return `EARSHOT_${key.toUpperCase().replaceAll('-', '_')}`
}

/** The daemon's flags for yargs, with descriptions and defaults. */
export const daemonOptions: Readonly<Record<string, Options>> = Object.fromEntries(
  Object.entries(flags).map(([key, { kind, description, shownDefault }]) => [
    key,
    {
      // Numbers are text for yargs: the check of the schema has the better error for `--port abc`.
      ...(kind === 'list' ? listFlag : textFlag),
      describe: description,
      ...(shownDefault !== undefined && { defaultDescription: shownDefault }),
    },
  ]),
)

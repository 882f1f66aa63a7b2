import { styleText } from 'node:util'
import type { PeerState } from '../client/index.ts'

type Format = 'bold' | 'dim' | 'red' | 'green' | 'yellow'
/** Text in a colour or weight, or as it was where there are no colours. */
export type Style = (format: Format, text: string) => string

export const plain: Style = (_format, text) => text

/** Colours on a terminal only, and not where `NO_COLOR` is set or the terminal is dumb. */
export function styleFor(terminal: boolean, env: NodeJS.ProcessEnv): Style {
  if (!terminal || env['NO_COLOR'] || env['TERM'] === 'dumb') return plain
  return (format, text) => styleText(format, text, { validateStream: false })
}

export const STATE_FORMATS: Readonly<Record<PeerState, Format>> = {
  alive: 'green',
  suspect: 'yellow',
  failed: 'red',
  left: 'dim',
}

import type { Options } from 'yargs'
import type { PeerFilter, PeerState } from '../client/index.ts'
import { listFlag } from '../shared/flags.ts'
import { Usage } from './command.ts'
import { STATE_FORMATS } from './style.ts'
import { readPair } from './values.ts'

/** A flag whose values may be given one by one, or several with commas between them. */
const commaList = {
  ...listFlag,
  coerce: (values: readonly string[] | undefined) => values?.flatMap((text) => text.split(',')),
} as const satisfies Options

/** The flags that choose peers, and the filter they make. */
export const peerOptions = {
  service: {
    ...commaList,
    describe: 'Only peers with a service of this type: http, osc/udp or _http._tcp',
  },
  state: {
    ...commaList,
    describe: 'Only peers in this state: alive, suspect, failed, left or all',
    defaultDescription: 'alive,suspect',
  },
  where: {
    ...listFlag,
    describe: 'Only peers with this attribute: status=idle',
  },
  all: { type: 'boolean', describe: 'Also peers that have failed or left', conflicts: 'state' },
  self: { type: 'boolean', describe: 'Also this machine itself' },
  signed: { type: 'boolean', describe: 'Nothing of what mDNS tells, which nobody has signed' },
} as const satisfies Record<string, Options>

/** What yargs makes of these flags. */
export interface PeerArguments {
  service?: string[] | undefined
  state?: string[] | undefined
  where?: string[] | undefined
  all?: boolean | undefined
  self?: boolean | undefined
  signed?: boolean | undefined
}

/** @throws Usage when a state is unknown or `--where` is not `key=value` */
export function peerFilter({ service, state, where = [], all, self, signed }: PeerArguments): PeerFilter {
  const states = all ? 'all' : readStates(state)
  return {
    ...(service && { service }),
    ...(states && { state: states }),
    ...(where.length > 0 && { attributes: readAttributes(where) }),
    ...(self && { self }),
    ...(signed && { source: 'beacon' as const }),
  }
}

/** @throws Usage when one of them is not `key=value` */
export function readAttributes(where: readonly string[]): Record<string, string> {
  return Object.fromEntries(where.map((text) => readPair('--where', text)))
}

function readStates(texts: readonly string[] | undefined): PeerState[] | 'all' | undefined {
  if (texts?.includes('all')) return 'all'
  return texts?.map((word) => {
    if (isState(word)) return word
    throw new Usage(`--state: expected ${Object.keys(STATE_FORMATS).join(', ')} or all, found "${word}"`)
  })
}

function isState(word: string): word is PeerState {
  return Object.hasOwn(STATE_FORMATS, word)
}

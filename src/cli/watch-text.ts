import type { Sign, WatchLine } from './follower.ts'
import type { Output } from './output.ts'
import { allAddresses, mainAddress, servicesText } from './peer-text.ts'
import { printable } from './printable.ts'
import { STATE_FORMATS } from './style.ts'
import { cut, padded } from './table.ts'
import { clockTime } from './time.ts'

const SIGN_FORMATS = { '+': 'green', '~': 'bold', '?': 'yellow', '-': 'red', ':': 'dim' } as const satisfies Record<
  Sign,
  string
>
const NAME_WIDTH = 16
const STATE_WIDTH = 7
const ADDRESS_WIDTH = 15

/** Sign, time, name, state, address, services, what changed: aligned on a terminal, with tabs and whole values elsewhere. */
export function watchText(
  { sign, at, peer, change }: WatchLine,
  { terminal, width, style }: Pick<Output, 'terminal' | 'width' | 'style'>,
): string {
  if (!peer) return sign
  const name = printable(peer.name)
  const services = servicesText(peer.services)
  if (!terminal) return [sign, at, name, peer.state, allAddresses(peer), services, change].join('\t')
  const line = [
    style(SIGN_FORMATS[sign], sign),
    style('dim', clockTime(at)),
    padded(name, NAME_WIDTH),
    style(STATE_FORMATS[peer.state], padded(peer.state, STATE_WIDTH)),
    padded(mainAddress(peer), ADDRESS_WIDTH),
    services,
    change && `(${change})`,
  ]
  return cut(line.filter((part) => part !== '').join(' '), width)
}

import stringWidth from 'string-width'
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
  line: WatchLine,
  { terminal, width, style }: Pick<Output, 'terminal' | 'width' | 'style'>,
): string {
  const { sign, at, peer, change } = line
  if (!peer) return sign
  const name = printable(peer.name)
  const services = servicesText(peer)
  if (!terminal) return [sign, at, name, peer.state, allAddresses(peer), services, change].join('\t')
  const head = [style(SIGN_FORMATS[sign], sign), style('dim', clockTime(at))]
  const state = style(STATE_FORMATS[peer.state], padded(peer.state, STATE_WIDTH))
  const address = padded(mainAddress(peer), ADDRESS_WIDTH)
  const news = change && `(${change})`
  const shortName = padded(cut(name, NAME_WIDTH), NAME_WIDTH)
  const whole = joined([...head, padded(name, NAME_WIDTH), state, address, services, news])
  // Where the terminal is too narrow, what has not changed is left out before what has.
  const shorter =
    news === '' ? [] : [joined([...head, shortName, state, address, news]), joined([...head, shortName, state, news])]
  const fitting = [whole, ...shorter].find((text) => stringWidth(text) <= width)
  return cut(fitting ?? shorter.at(-1) ?? whole, width)
}

function joined(parts: readonly string[]): string {
  return parts.filter((part) => part !== '').join(' ')
}

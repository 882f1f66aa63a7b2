import { setTimeout as delay } from 'node:timers/promises'
import type { PeerFilter, Peers } from '../client/index.ts'
import type { Context, GlobalOptions } from './command.ts'
import { sentence } from './failure.ts'
import { footer, type PeerTableOptions, peerTable } from './peer-table.ts'
import { cut } from './table.ts'

/** SEEN is counted in seconds. */
const REFRESH_MS = 1000

/** What to ask the daemon for, and which of it is to be shown. */
interface Asked {
  filter: PeerFilter
  split: (peers: Peers) => { found: Peers; failed: number }
}

type Shown = Pick<PeerTableOptions, 'headings' | 'wide' | 'ids'>

/**
 * The table of `ls`, drawn anew every second until the user has had enough. A daemon that
 * goes away is waited for, with what it said last on the screen.
 * @throws EarshotError when there is no daemon to begin with, or when it refuses
 */
export async function showLive(
  { filter, split }: Asked,
  shown: Shown,
  options: GlobalOptions,
  context: Context,
): Promise<void> {
  const { output, signal } = context
  const daemon = context.daemon(options)
  let now = split(await daemon.peers(filter, { signal }))
  let fault = ''
  const picture = (): string[] => {
    const { width, height, style } = output
    const lines = peerTable(now.found.peers, { ...shown, terminal: true, width, style, now: context.now() }).map(
      (line) => cut(line, width),
    )
    const last =
      fault === '' ? style('dim', cut(footer(now.found.peers, now.failed), width)) : style('red', cut(fault, width))
    const room = Math.max(0, height - 1)
    const left = lines.length - room
    const seen = left > 0 ? [...lines.slice(0, room - 1), style('dim', `… and ${left + 1} more`)] : lines
    return [...seen, last]
  }
  const screen = output.screen()
  const draw = (): void => screen.draw(picture())
  screen.onResize(draw)
  try {
    while (!signal.aborted) {
      draw()
      await delay(REFRESH_MS, undefined, { signal }).catch(() => {})
      try {
        now = split(await daemon.peers(filter, { signal }))
        fault = ''
      } catch (error) {
        fault = sentence(error)
      }
    }
  } finally {
    screen.close()
  }
}

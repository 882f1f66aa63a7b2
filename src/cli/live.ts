import { setTimeout as delay } from 'node:timers/promises'
import type { PeerFilter } from '../client/index.ts'
import type { Context, GlobalOptions } from './command.ts'
import { sentence } from './failure.ts'
import { footer, type PeerTableOptions, peerTable } from './peer-table.ts'
import { cut } from './table.ts'

/** SEEN is counted in seconds. */
const REFRESH_MS = 1000

type Shown = Pick<PeerTableOptions, 'headings' | 'wide' | 'ids'>

/**
 * The table of `ls`, drawn anew every second until the user has had enough. A daemon that
 * goes away is waited for, with what it said last on the screen.
 * @throws EarshotError when there is no daemon to begin with, or when it refuses
 */
export async function showLive(
  filter: PeerFilter,
  shown: Shown,
  options: GlobalOptions,
  context: Context,
): Promise<void> {
  const { output, signal } = context
  const daemon = context.daemon(options)
  let { peers } = await daemon.peers(filter, { signal })
  let fault = ''
  const picture = (): string[] => {
    const { width, height, style } = output
    const lines = peerTable(peers, { ...shown, terminal: true, width, style, now: context.now() }).map((line) =>
      cut(line, width),
    )
    const last = fault === '' ? style('dim', cut(footer(peers), width)) : style('red', cut(fault, width))
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
        peers = (await daemon.peers(filter, { signal })).peers
        fault = ''
      } catch (error) {
        fault = sentence(error)
      }
    }
  } finally {
    screen.close()
  }
}

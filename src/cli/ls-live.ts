import { setTimeout as delay } from 'node:timers/promises'
import type { Peers } from '../client/index.ts'
import type { Context } from './command.ts'
import { errorText } from './errors.ts'
import { type PeerTableOptions, peerTable, peerTableFooter } from './peer-table.ts'
import { cut, loadWidths } from './text-width.ts'

/** The peers that `ls` shows. */
export interface Listing {
  listed: Peers
  /** Number of failed peers that are not listed. */
  failed: number
}

/** SEEN counts seconds. */
const REFRESH_MS = 1000

/**
 * `ls --live`: redraws the table every second until the signal is aborted. If the daemon goes away, shows the last answer
 * and the error until it is back.
 * @throws EarshotError if the first call fails
 */
export async function showLiveTable(
  ask: () => Promise<Listing>,
  tableOptions: Pick<PeerTableOptions, 'headings' | 'wide' | 'ids'>,
  { output, signal, now }: Context,
): Promise<void> {
  let listing = await ask()
  let fault = ''
  const picture = (): string[] => {
    const { width, height, style } = output
    const { peers } = listing.listed
    const lines = peerTable(peers, { ...tableOptions, width, style, now: now() })
    const rows = lines.map((line) => cut(line, width))
    const footer = cut(peerTableFooter(peers, listing.failed), width)
    const lastLine = fault === '' ? style('dim', footer) : style('red', cut(fault, width))
    const room = Math.max(0, height - 1)
    const excess = rows.length - room
    const shown = excess > 0 ? [...rows.slice(0, room - 1), style('dim', `… and ${excess + 1} more`)] : rows
    return [...shown, lastLine]
  }
  const screen = output.screen()
  const draw = (): void => screen.draw(picture())
  screen.onResize(draw)
  try {
    while (!signal.aborted) {
      await loadWidths(listing.listed.peers, fault)
      draw()
      await delay(REFRESH_MS, undefined, { signal }).catch(() => {})
      try {
        listing = await ask()
        fault = ''
      } catch (error) {
        fault = errorText(error)
      }
    }
  } finally {
    screen.close()
  }
}

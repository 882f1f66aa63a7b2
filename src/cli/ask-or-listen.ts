import { EarshotError, type PeerFilter, type Peers } from '../client/index.ts'
import type { Context, GlobalOptions } from './command.ts'

/**
 * The daemon's answer; where no daemon runs, what one second of listening to the network tells, as `answerOf` makes an
 * answer of it. One who names a daemon (`--socket`) wants its answer and no other.
 * @throws EarshotError; when listening, BadConfig, PortInUse
 */
export async function askOrListen<Answer>(
  ask: () => Promise<Answer>,
  filter: PeerFilter,
  answerOf: (heard: Peers) => Answer,
  { socket }: GlobalOptions,
  { output }: Context,
): Promise<Answer> {
  try {
    return await ask()
  } catch (error) {
    const nobodyThere = error instanceof EarshotError && error.code === 'EARSHOT_NO_DAEMON'
    if (!nobodyThere || socket !== undefined) throw error
    output.remark('no daemon is running: listening for a second (start one: earshotd)')
    const { listenInstead } = await import('./without-daemon.ts')
    const heard = await listenInstead(filter)
    if (heard.peers.length === 0) {
      output.remark(
        'nobody that fits was heard (earshotd has to run on the others, and firewalls to let in its UDP port)',
      )
    }
    return answerOf(heard)
  }
}

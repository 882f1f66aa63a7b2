import type { Change, OfferedService } from '../client/index.ts'
import { mainAddress } from './peer-text.ts'

const OURS = /^EARSHOT_(?:EVENT$|PEER_|SERVICE_|TXT_|ATTR_)/

/**
 * The environment for a command that is told of this change. Values come from the network: they are text to be quoted, and
 * the fixed beginnings of the names keep them away from variables that mean something to a shell or a loader.
 */
export function changeEnvironment(change: Change, inherited: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { type, peer } = change
  const told: Record<string, string> = {
    EARSHOT_EVENT: type,
    EARSHOT_PEER_ID: peer.id,
    EARSHOT_PEER_NAME: peer.name,
    EARSHOT_PEER_STATE: peer.state,
    EARSHOT_PEER_SOURCE: peer.source,
    EARSHOT_PEER_HOSTNAME: peer.hostname,
    EARSHOT_PEER_ADDRESS: mainAddress(peer),
    ...keyed('EARSHOT_ATTR_', peer.attributes),
    ...('service' in change && aboutService(change.service, peer)),
  }
  // What an outer `watch --exec` said must not look as if it were said of this change.
  const rest = Object.entries(inherited).filter(([name]) => !OURS.test(name))
  const here = Object.entries(told).map(([name, value]) => [name, withoutNul(value)])
  return Object.fromEntries([...rest, ...here])
}

function aboutService(service: OfferedService, peer: Change['peer']): Record<string, string> {
  const { id, name, type, port, txt, source = 'beacon', addresses = peer.addresses } = service
  return {
    EARSHOT_SERVICE_ID: id,
    EARSHOT_SERVICE_NAME: name,
    EARSHOT_SERVICE_TYPE: type,
    EARSHOT_SERVICE_PORT: String(port),
    EARSHOT_SERVICE_ADDRESS: mainAddress({ addresses }),
    EARSHOT_SERVICE_SOURCE: source,
    ...keyed('EARSHOT_TXT_', txt),
  }
}

/** `room-temp` becomes `EARSHOT_ATTR_ROOM_TEMP`. */
function keyed(prefix: string, values: Readonly<Record<string, string | number | boolean>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(values).map(([key, value]) => [
      prefix + key.toUpperCase().replace(/[^A-Z0-9]/g, '_'),
      String(value),
    ]),
  )
}

/** The kernel ends a variable at a NUL, and Node refuses one. */
function withoutNul(text: string): string {
  return text.replaceAll('\0', '\ufffd')
}

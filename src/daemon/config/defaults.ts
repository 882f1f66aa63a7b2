import { hostname, tmpdir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { BadConfig } from '../../shared/errors.ts'
import { defaultSocketPath, untrustedReason } from '../../shared/socket-paths.ts'

/** What the defaults depend on. */
export interface Facts {
  env: Readonly<Record<string, string | undefined>>
  /** Undefined where users have no numbers. */
  uid: number | undefined
  /** The user's home; undefined when there is none. */
  home: string | undefined
  hostname: string
  temporaryDirectory: string
  /** Whether the log goes to a terminal. */
  terminal: boolean
}

const NAME_CHARACTERS = 63
/** The longest host name that a peer record can hold (docs/PROTOCOL.md, section 9). */
const MAX_HOST_NAME_CHARACTERS = 255

/**
 * Removes control characters and lone surrogates from a host name and shortens it to 255 characters. Some machines have a
 * host name that ends with a line feed, because a script wrote it. Other peers would refuse a record with that name.
 */
export function printableHostName(hostname: string): string {
  return [...hostname.replace(/[\p{Cc}\p{Cs}]/gu, '')].slice(0, MAX_HOST_NAME_CHARACTERS).join('')
}

/** The host name up to its first dot, cut to what a peer's name may be. */
export function defaultName({ hostname }: Facts): string {
  const short = printableHostName(hostname).split('.')[0] ?? ''
  return [...short].slice(0, NAME_CHARACTERS).join('') || 'localhost'
}

/** Under systemd `$STATE_DIRECTORY`, by hand `$XDG_STATE_HOME/earshot`. @throws BadConfig when there is no home either */
export function defaultStateDir({ env, home }: Facts): string {
  const [stateDirectory] = env['STATE_DIRECTORY']?.split(':') ?? []
  if (stateDirectory) return stateDirectory
  const asked = env['XDG_STATE_HOME']
  if (asked && isAbsolute(asked)) return join(asked, 'earshot')
  if (home) return join(home, '.local/state/earshot')
  throw new BadConfig('state-dir: there is no home directory to keep it in (give --state-dir)')
}

/** The user's own directory of service files, and the system's. Root, as for the config file, has the system's only. */
export function defaultServicesDir({ env, uid, home }: Facts): string[] {
  const own = uid === 0 ? undefined : configHome(env, home)
  return [...(own ? [join(own, 'earshot/services.d')] : []), '/etc/earshot/services.d']
}

/** `$XDG_CONFIG_HOME`, by default `~/.config`; undefined when there is no home either. */
export function configHome(env: Facts['env'], home: string | undefined): string | undefined {
  const asked = env['XDG_CONFIG_HOME']
  return asked && isAbsolute(asked) ? asked : home && join(home, '.config')
}

/**
 * The default path of the control socket.
 * @throws BadConfig when the path is in the temporary directory and other users could have created its parent
 */
export function defaultSocket({ env, uid, temporaryDirectory }: Facts): string {
  const context = { env, uid, temporaryDirectory }
  const socket = defaultSocketPath(context)
  const reason = untrustedReason(socket, context)
  if (reason) throw new BadConfig(`socket: ${reason} (remove it, or give --socket)`)
  return socket
}

/** The facts of this process; its log goes to standard output. */
export function factsOfProcess(): Facts {
  return {
    env: process.env,
    uid: process.getuid?.(),
    home: process.env['HOME'] || undefined,
    hostname: hostname(),
    temporaryDirectory: tmpdir(),
    terminal: process.stdout.isTTY === true,
  }
}

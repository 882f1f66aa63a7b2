import { hostname, tmpdir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { isatty } from 'node:tty'
import { BadConfig } from '../../shared/errors.ts'
import { defaultSocketPath, SUPERUSER, untrustedReason } from '../../shared/socket-paths.ts'

/** The defaults that do not depend on the machine, in the form in which people write them. */
export const DEFAULTS = {
  port: 15_353,
  group4: '239.255.153.53',
  group6: 'ff12::153:53',
  interval: '1s',
  budget: '256kbit',
  http: '127.0.0.1:15353',
  mdns: true,
  'log-level': 'info',
  'log-format': 'auto',
} as const

/** The properties of the process that the defaults depend on. */
export interface ProcessInfo {
  env: Readonly<Record<string, string | undefined>>
  /** Undefined on systems without numeric user ids. */
  uid: number | undefined
  /** The home directory; undefined when there is none. */
  home: string | undefined
  hostname: string
  temporaryDirectory: string
  /** Whether standard output, where the log goes, is a terminal. */
  terminal: boolean
}

const MAX_NAME_CHARACTERS = 63
/** The longest host name that a peer record can hold (docs/PROTOCOL.md, section 9). */
const MAX_HOST_NAME_CHARACTERS = 255

/**
 * Removes control characters and lone surrogates from a host name and shortens it to 255 characters. Some machines have a
 * host name that ends with a line feed, because a script wrote it. Other peers would refuse a record with that name.
 */
export function printableHostName(hostname: string): string {
  return [...hostname.replace(/[\p{Cc}\p{Cs}]/gu, '')].slice(0, MAX_HOST_NAME_CHARACTERS).join('')
}

/** The host name up to its first dot, shortened to the length of a peer's name. */
export function defaultName({ hostname }: ProcessInfo): string {
  const short = printableHostName(hostname).split('.')[0] ?? ''
  return [...short].slice(0, MAX_NAME_CHARACTERS).join('') || 'localhost'
}

/**
 * `$STATE_DIRECTORY` (set by systemd), else `$XDG_STATE_HOME/earshot`, else `~/.local/state/earshot`.
 * @throws BadConfig when there is no home directory either
 */
export function defaultStateDir({ env, home }: ProcessInfo): string {
  const [stateDirectory] = env['STATE_DIRECTORY']?.split(':') ?? []
  if (stateDirectory) return stateDirectory
  const stateHome = env['XDG_STATE_HOME']
  if (stateHome && isAbsolute(stateHome)) return join(stateHome, 'earshot')
  if (home) return join(home, '.local/state/earshot')
  throw new BadConfig('state-dir: there is no home directory to keep it in (give --state-dir)')
}

/** The user's directory of service files, then the system's; for root, as with the config file, only the system's. */
export function defaultServicesDir(info: ProcessInfo): string[] {
  const own = configHome(info)
  return [...(own ? [join(own, 'earshot/services.d')] : []), '/etc/earshot/services.d']
}

/**
 * `$XDG_CONFIG_HOME`, else `~/.config`. Undefined when there is no home directory either, and for root: a file in the home
 * directory of root must not configure the system's daemon.
 */
export function configHome({ env, uid, home }: Pick<ProcessInfo, 'env' | 'uid' | 'home'>): string | undefined {
  if (uid === SUPERUSER) return undefined
  const xdg = env['XDG_CONFIG_HOME']
  return xdg && isAbsolute(xdg) ? xdg : home && join(home, '.config')
}

/**
 * The default path of the control socket.
 * @throws BadConfig when the path is in the temporary directory and other users could have created its parent
 */
export function defaultSocket({ env, uid, temporaryDirectory }: ProcessInfo): string {
  const context = { env, uid, temporaryDirectory }
  const socket = defaultSocketPath(context)
  const reason = untrustedReason(socket, context)
  if (reason) throw new BadConfig(`socket: ${reason} (remove it, or give --socket)`)
  return socket
}

export function processInfo(): ProcessInfo {
  return {
    env: process.env,
    uid: process.getuid?.(),
    home: process.env['HOME'] || undefined,
    hostname: hostname(),
    temporaryDirectory: tmpdir(),
    terminal: isatty(1),
  }
}

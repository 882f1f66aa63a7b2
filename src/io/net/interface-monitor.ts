import { existsSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { nearest } from '../../shared/did-you-mean.ts'
import {
  type AddressProblem,
  KernelTable,
  parseAddressProblems,
  readDefaultInterfaces,
  readInterfaces,
  type SystemInterface,
} from './system-interfaces.ts'
import type { LeftOut, NetOptions } from './types.ts'

/**
 * Interfaces without a segment to discover peers on: loopback and point-to-point tunnels. They are left out even if the
 * default route leads through them, as with a VPN. ZeroTier (`zt*`) is not in the list: it carries broadcast and
 * multicast like a switch, and people use it as their LAN.
 */
const NO_SEGMENT: readonly string[] = [
  'lo',
  'wg*',
  'tun*',
  'tailscale*',
  'ppp*',
  // macOS: VPN tunnels, and the radio links of AirDrop
  'utun*',
  'awdl*',
  'llw*',
]

/** Interfaces of containers and virtual machines on their host. They are used if the default route leads through them. */
const VIRTUAL: readonly string[] = [
  'docker*',
  // Docker's user-defined bridges. Other systems name their main interface `br-lan` or `br-ex`, which does not match.
  'br-############',
  'veth*',
  'podman*',
  'cni*',
  'flannel*',
  'cali*',
  'cilium*',
  'weave*',
  'kube-*',
  'nodelocaldns*',
  'lxc*',
  'lxdbr*',
  'incusbr*',
  'virbr*',
  'vnet*',
  'tap*',
  'macvtap*',
  'vboxnet*',
  'vmnet*',
  'dummy*',
]

const DEFAULT_EXCLUDE: readonly string[] = [...NO_SEGMENT, ...VIRTUAL]

/** Where Linux lists the interfaces, whatever their state. */
const SYSTEM_LIST = '/sys/class/net'

/** Patterns of the interfaces to use and to leave out. */
export type InterfacePatterns = Pick<NetOptions, 'include' | 'exclude'>

/** The names of the interfaces to use, and why the others are left out. */
export interface InterfaceSelection {
  used: string[]
  leftOut: LeftOut[]
}

/** Facts about interfaces that `os.networkInterfaces()` does not have. */
export interface SystemFacts {
  /** The interfaces of the default routes. */
  defaultInterfaces(): ReadonlySet<string>
  /** Whether there is an interface of that name, in any state; undefined if unknown. */
  exists(name: string): boolean | undefined
}

/** About the time between two looks at the interfaces of the system, ms. */
const LOOK_INTERVAL = 1000
/** Changes often come together, as when a cable is plugged in. So many looks after one take a quarter of the time each. */
const LOOKS_AFTER_CHANGE = 20

type Repeat = (interval: number, run: () => void) => () => void

function byInterval(interval: number, run: () => void): () => void {
  const timer = setInterval(run, interval)
  return () => clearInterval(timer)
}

/**
 * Looks at the interfaces of the system and selects those to use. One monitor can serve several `Net`s: a look and the
 * wake-up for it cost more processor time than ten datagrams. Node cannot be told of changes: it has no netlink sockets.
 */
export class InterfaceMonitor {
  readonly #patterns: InterfacePatterns
  readonly #interval: number
  readonly #repeat: Repeat
  readonly #watchers = new Set<() => void>()
  #stopLooking: (() => void) | undefined
  #nextSoon: NodeJS.Timeout | undefined
  /** How many more looks follow quickly. */
  #soonLeft = 0
  #lastListing = ''
  #ipv6Addresses = ''
  readonly #ipv6Table = new KernelTable('/proc/net/if_inet6')
  #problems: ReadonlyMap<string, ReadonlyMap<string, AddressProblem>> = new Map()
  /** Whether the last selection depended on the default routes. */
  #needsRoutes = false
  /** Higher after each look that has found a change. */
  revision = 0
  interfaces: Map<string, SystemInterface> = new Map()
  selection: InterfaceSelection = { used: [], leftOut: [] }

  /**
   * @param interval ms between two looks while somebody watches
   * @param repeat calls a function about every so many ms, and keeps the process alive; returns a function that ends this
   */
  constructor(patterns: InterfacePatterns, interval = LOOK_INTERVAL, repeat: Repeat = byInterval) {
    this.#patterns = patterns
    this.#interval = interval
    this.#repeat = repeat
  }

  /** Calls `watcher` after each look, whether or not anything has changed. Returns a function that ends this. */
  watch(watcher: () => void): () => void {
    // A function of its own: the same one may be given twice.
    const entry = () => watcher()
    this.#watchers.add(entry)
    // This keeps the process alive: on a machine without any network, nothing else may do so.
    this.#stopLooking ??= this.#repeat(this.#interval, () => this.#lookForWatchers())
    return () => {
      this.#watchers.delete(entry)
      if (this.#watchers.size > 0) return
      this.#stopLooking?.()
      this.#stopLooking = undefined
      clearTimeout(this.#nextSoon)
      this.#ipv6Table.close()
    }
  }

  #lookForWatchers(): void {
    const before = this.revision
    this.look()
    for (const each of this.#watchers) each()
    if (this.revision !== before) this.#soonLeft = LOOKS_AFTER_CHANGE
    if (this.#soonLeft === 0 || this.#watchers.size === 0) return
    clearTimeout(this.#nextSoon)
    this.#soonLeft--
    this.#nextSoon = setTimeout(() => this.#lookForWatchers(), this.#interval / 4)
  }

  /** Reads the interfaces now. What cannot be read counts as unchanged. */
  look(): void {
    let listing: ReturnType<typeof networkInterfaces>
    try {
      listing = networkInterfaces()
    } catch {
      // No file descriptor is left, for example.
      return
    }
    const routes = this.#needsRoutes ? readDefaultInterfaces() : undefined
    const listed = JSON.stringify([listing, routes && [...routes]])
    const isListedBefore = listed === this.#lastListing
    // An address that is usable stays so as long as it is listed: only an interface that was down checks its addresses again.
    if (isListedBefore && this.#problems.size === 0) return
    const ipv6Addresses = this.#ipv6Table.read() ?? this.#ipv6Addresses
    if (isListedBefore && ipv6Addresses === this.#ipv6Addresses) return
    this.#lastListing = listed
    this.#ipv6Addresses = ipv6Addresses
    this.#problems = parseAddressProblems(ipv6Addresses)
    this.interfaces = readInterfaces(listing, this.#problems, exists)
    this.#needsRoutes = false
    this.selection = selectInterfaces(this.interfaces.keys(), this.#patterns, {
      defaultInterfaces: () => {
        this.#needsRoutes = true
        return routes ?? readDefaultInterfaces()
      },
      exists,
    })
    this.revision++
  }

  /** The link-local IPv6 address of an interface, if another machine has the same one. */
  duplicateOf(name: string): string | undefined {
    const linkLocal = this.interfaces.get(name)?.linkLocal
    if (linkLocal === undefined) return undefined
    return this.#problems.get(name)?.get(linkLocal) === 'duplicate' ? linkLocal : undefined
  }
}

/**
 * Selects interfaces by name. With `include` patterns, only the interfaces that match one are used, and `exclude` is
 * ignored. Otherwise, all that `exclude` does not match are used. Patterns are globs: `*` stands for any characters, `?`
 * for one character, `#` for one hexadecimal digit.
 * @param names the interfaces that are up and have an address
 */
export function selectInterfaces(
  names: Iterable<string>,
  { include, exclude }: InterfacePatterns,
  facts: SystemFacts,
): InterfaceSelection {
  const selection: InterfaceSelection = { used: [], leftOut: [] }
  const present = [...names]
  const wanted = include.map(glob)
  const unwanted = (exclude ?? DEFAULT_EXCLUDE).map((pattern) => ({ pattern, matches: glob(pattern) }))
  for (const name of present) {
    if (include.length > 0) {
      if (wanted.some((matches) => matches.test(name))) selection.used.push(name)
      else selection.leftOut.push({ name, cause: 'not-named', reason: 'not named by --interface' })
      continue
    }
    const hit = unwanted.find(({ matches }) => matches.test(name))
    const isUsed = hit === undefined || (exclude === undefined && isDefaultRoute(name, hit.pattern, facts))
    if (isUsed) selection.used.push(name)
    else selection.leftOut.push(excluded(name, hit.pattern))
  }
  for (const name of include) {
    if (!/[*?#]/.test(name) && !present.includes(name)) selection.leftOut.push(missing(name, present, facts))
  }
  return selection
}

/** Whether the default route leads through an interface that the built-in list leaves out. */
function isDefaultRoute(name: string, pattern: string, facts: SystemFacts): boolean {
  return VIRTUAL.includes(pattern) && facts.defaultInterfaces().has(name)
}

function excluded(name: string, pattern: string): LeftOut {
  const reason = `matches ${pattern} of --exclude (--interface ${name} would use it)`
  return { name, cause: 'excluded', pattern, reason }
}

function missing(name: string, present: string[], facts: SystemFacts): LeftOut {
  const exists = facts.exists(name)
  if (exists) return { name, cause: 'no-address', reason: 'is down or has no address' }
  const meant = nearest(name, present)
  const fact = exists === undefined ? 'does not exist, is down or has no address' : 'does not exist'
  const reason = meant === undefined ? fact : `${fact} (did you mean ${meant}?)`
  return { name, cause: 'missing', reason, ...(meant !== undefined && { nearest: meant }) }
}

function glob(pattern: string): RegExp {
  const body = pattern.replace(/[\\^$.*+?()[\]{}|#]/g, (sign) =>
    sign === '*' ? '.*' : sign === '?' ? '.' : sign === '#' ? '[0-9a-f]' : `\\${sign}`,
  )
  return new RegExp(`^${body}$`, 's')
}

function exists(name: string): boolean | undefined {
  return existsSync(SYSTEM_LIST) ? existsSync(`${SYSTEM_LIST}/${name}`) : undefined
}

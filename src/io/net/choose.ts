import { nearest } from '../../shared/did-you-mean.ts'
import type { LeftOut } from './types.ts'

/**
 * Interfaces without a segment that one could be heard on: loopback and point-to-point tunnels. They are left out even
 * where the default route leads through them, as it does with a VPN. ZeroTier (`zt*`) is not among them: it carries
 * broadcast and multicast like a switch, and people use it as their LAN.
 */
const WITHOUT_SEGMENT: readonly string[] = [
  'lo',
  'wg*',
  'tun*',
  'tailscale*',
  'ppp*',
  // Apple's own: VPN tunnels, and the radio links of AirDrop
  'utun*',
  'awdl*',
  'llw*',
]

/** What containers and virtual machines make on their host, left out unless the default route leads through it. */
const INNER: readonly string[] = [
  'docker*',
  // Docker's other bridges. `br-lan`, `br-ex` and the like are how other systems name the machine's own interface.
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

/** What is left out where nothing else is said. */
const DEFAULT_EXCLUDE: readonly string[] = [...WITHOUT_SEGMENT, ...INNER]

/** Which interfaces are used, and why the others are not. */
export interface Choice {
  used: string[]
  leftOut: LeftOut[]
}

export interface Wishes {
  /** Patterns of interfaces to use; none means all that `exclude` does not match. */
  include: readonly string[]
  /** Patterns of interfaces to leave out; undefined means the built-in list. */
  exclude: readonly string[] | undefined
}

/** What the system knows of interfaces beyond those that are up and have an address. */
export interface Devices {
  /** The interfaces that default routes lead through. */
  defaultDevices(): ReadonlySet<string>
  /** Whether there is an interface of that name, in whatever state; undefined when that cannot be told. */
  exists(name: string): boolean | undefined
}

/**
 * Decides by name. With `include` patterns only the interfaces that they match are used, whatever `exclude` says;
 * without, all that `exclude` does not match. Patterns are globs: `*` is any run of characters, `?` one character, `#`
 * one hexadecimal digit.
 * @param names interfaces that are up and have an address
 */
export function choose(names: Iterable<string>, { include, exclude }: Wishes, devices: Devices): Choice {
  const choice: Choice = { used: [], leftOut: [] }
  const present = [...names]
  const wanted = include.map(glob)
  const unwanted = (exclude ?? DEFAULT_EXCLUDE).map((pattern) => ({ pattern, matches: glob(pattern) }))
  for (const name of present) {
    if (include.length > 0) {
      if (wanted.some((matches) => matches.test(name))) choice.used.push(name)
      else choice.leftOut.push({ name, cause: 'not-named', reason: 'not named by --interface' })
      continue
    }
    const hit = unwanted.find(({ matches }) => matches.test(name))
    if (hit === undefined || (exclude === undefined && isWayOut(name, hit.pattern, devices))) choice.used.push(name)
    else choice.leftOut.push(excluded(name, hit.pattern))
  }
  for (const name of include) {
    if (!/[*?#]/.test(name) && !present.includes(name)) choice.leftOut.push(missing(name, present, devices))
  }
  return choice
}

/** Whether an interface that the built-in list leaves out is the one that leads out of this machine. */
function isWayOut(name: string, pattern: string, devices: Devices): boolean {
  return INNER.includes(pattern) && devices.defaultDevices().has(name)
}

function excluded(name: string, pattern: string): LeftOut {
  const reason = `matches ${pattern} of --exclude (--interface ${name} would use it)`
  return { name, cause: 'excluded', pattern, reason }
}

function missing(name: string, present: string[], devices: Devices): LeftOut {
  const exists = devices.exists(name)
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

/**
 * Interfaces left out unless `--interface` names them: what containers and virtual machines make on their host, and
 * point-to-point tunnels, which have no segment to be heard on. ZeroTier (`zt*`) stays in: it carries broadcast and
 * multicast like a switch, and people use it as their LAN.
 */
export const DEFAULT_EXCLUDE: readonly string[] = [
  'lo',
  'docker*',
  'br-*',
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
  'wg*',
  'tun*',
  'tailscale*',
  'ppp*',
  // Apple's own: VPN tunnels, and the radio links of AirDrop
  'utun*',
  'awdl*',
  'llw*',
]

/** Which interfaces are used, and why the others are not. */
export interface Choice {
  used: string[]
  leftOut: { name: string; reason: string }[]
}

/**
 * Decides by name. With `include` patterns only the interfaces that they match are used, whatever `exclude` says;
 * without, all that `exclude` does not match. Patterns are globs: `*` any run of characters, `?` one.
 */
export function choose(names: Iterable<string>, include: readonly string[], exclude: readonly string[]): Choice {
  const choice: Choice = { used: [], leftOut: [] }
  const wanted = include.map(glob)
  const unwanted = exclude.map((pattern) => ({ pattern, matches: glob(pattern) }))
  const missing = new Set(include.filter((pattern) => !/[*?]/.test(pattern)))
  for (const name of names) {
    missing.delete(name)
    if (include.length > 0) {
      if (wanted.some((matches) => matches.test(name))) choice.used.push(name)
      else choice.leftOut.push({ name, reason: 'not named by --interface' })
      continue
    }
    const hit = unwanted.find(({ matches }) => matches.test(name))
    if (hit === undefined) choice.used.push(name)
    else choice.leftOut.push({ name, reason: `matches ${hit.pattern} of --exclude (--interface ${name} would use it)` })
  }
  for (const name of missing) choice.leftOut.push({ name, reason: 'does not exist, is down or has no address' })
  return choice
}

function glob(pattern: string): RegExp {
  const body = pattern.replace(/[\\^$.*+?()[\]{}|]/g, (sign) =>
    sign === '*' ? '.*' : sign === '?' ? '.' : `\\${sign}`,
  )
  return new RegExp(`^${body}$`, 's')
}

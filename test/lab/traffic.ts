// nftables rules that drop traffic. They are valid in the `bridge` family (at the switch) and in `inet` (in a host).

/** UDP port of the beacons. Rules for beacons do not affect other traffic (mDNS, ping). */
export const BEACON_PORT = 15353

/** The paths of a beacon: the three paths of the protocol, and unicast, which answers use. */
export type Path = 'broadcast' | 'multicast4' | 'multicast6' | 'unicast'

const MATCH: Readonly<Record<Path, string>> = {
  broadcast: 'meta protocol ip meta pkttype broadcast',
  multicast4: 'ip daddr 224.0.0.0/4',
  multicast6: 'ip6 daddr ff00::/8',
  // The packet type of unicast is "host" at its destination and "other" at a switch.
  unicast: 'meta pkttype != { broadcast, multicast }',
}

/** Rules that drop the given paths. `from` limits them, for example `iifname "eth0"`. */
export function dropPathRules(paths: readonly Path[], from: string, port: number): string[] {
  return paths.map((path) => `${from} ${MATCH[path]} udp dport ${port} drop`)
}

/** All multicast and broadcast paths except one, and also unicast if `unicast` is false. */
export function allPathsExcept(path: Path, unicast: boolean): Path[] {
  const all: Path[] = unicast ? ['broadcast', 'multicast4', 'multicast6'] : Object.keys(MATCH).filter(isPath)
  return all.filter((other) => other !== path)
}

function isPath(name: string): name is Path {
  return name in MATCH
}

/** Direction from the point of view of the host at the port. */
export type Direction = 'in' | 'out' | 'both'

function portMatches(port: string, direction: Direction): string[] {
  // Outgoing traffic of a switch port is incoming traffic of its host.
  const into = `oifname "${port}"`
  const outOf = `iifname "${port}"`
  return direction === 'in' ? [into] : direction === 'out' ? [outOf] : [into, outOf]
}

/** Rules that drop all traffic through one switch port. */
export function cutPortRules(port: string, direction: Direction): string[] {
  return portMatches(port, direction).map((match) => `${match} drop`)
}

/** Rules that randomly drop `percent` (0 to 100, in steps of 0.01) of the datagrams to `udpPort` at a switch port. */
export function lossRules(port: string, percent: number, direction: Direction, udpPort: number): string[] {
  const share = Math.round(percent * 100)
  if (!(share >= 0 && share <= 10_000)) throw new RangeError(`the loss must be 0 to 100 percent, not ${percent}`)
  if (share === 0) return []
  // nft has no condition that is always true.
  const random = share === 10_000 ? '' : `numgen random mod 10000 < ${share} `
  return portMatches(port, direction).map((match) => `${match} udp dport ${udpPort} ${random}drop`)
}

/** Rules that drop all traffic between ports of different groups, in both directions. */
export function partitionRules(groups: readonly (readonly string[])[]): string[] {
  const set = (ports: readonly string[]): string => `{ ${ports.map((port) => `"${port}"`).join(', ')} }`
  const rules: string[] = []
  for (const [index, group] of groups.entries()) {
    const others = groups.toSpliced(index, 1).flat()
    if (group.length > 0 && others.length > 0) rules.push(`iifname ${set(group)} oifname ${set(others)} drop`)
  }
  return rules
}

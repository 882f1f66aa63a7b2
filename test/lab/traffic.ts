// What traffic is dropped, as nftables rules. All of them hold in the `bridge` family (at the switch) and in `inet` (in a host).

/** UDP port of the beacons; rules leave other traffic (mDNS, ping) alone. */
export const BEACON_PORT = 15353

/** The ways a beacon may take: the protocol's three paths, and unicast, which answers use. */
export type Path = 'broadcast' | 'multicast4' | 'multicast6' | 'unicast'

const MATCH: Readonly<Record<Path, string>> = {
  broadcast: 'meta protocol ip meta pkttype broadcast',
  multicast4: 'ip daddr 224.0.0.0/4',
  multicast6: 'ip6 daddr ff00::/8',
  // A host sees unicast to itself as "host", a switch sees it as "other".
  unicast: 'meta pkttype != { broadcast, multicast }',
}

/** Drops the given paths; `from` limits the rule, such as `iifname "eth0"`. */
export function dropPaths(paths: readonly Path[], from: string, port: number): string[] {
  return paths.map((path) => `${from} ${MATCH[path]} udp dport ${port} drop`)
}

/** Every multicast and broadcast path but one; unicast too when `unicast` is false. */
export function allBut(path: Path, unicast: boolean): Path[] {
  const all: Path[] = unicast ? ['broadcast', 'multicast4', 'multicast6'] : Object.keys(MATCH).filter(isPath)
  return all.filter((other) => other !== path)
}

function isPath(name: string): name is Path {
  return name in MATCH
}

/** Which way, as the host at the port sees it. */
export type Direction = 'in' | 'out' | 'both'

function portMatches(port: string, direction: Direction): string[] {
  // What the switch sends out of a port comes in at the host.
  const into = `oifname "${port}"`
  const outOf = `iifname "${port}"`
  return direction === 'in' ? [into] : direction === 'out' ? [outOf] : [into, outOf]
}

/** Drops everything through one switch port. */
export function cutPort(port: string, direction: Direction): string[] {
  return portMatches(port, direction).map((match) => `${match} drop`)
}

/** Drops `percent` (0 to 100, hundredths count) of the UDP datagrams to `udpPort` through one switch port, at random. */
export function losePort(port: string, percent: number, direction: Direction, udpPort: number): string[] {
  const share = Math.round(percent * 100)
  if (!(share >= 0 && share <= 10_000)) throw new RangeError(`loss has to be 0 to 100 percent, not ${percent}`)
  if (share === 0) return []
  // nft has no comparison that is always true.
  const random = share === 10_000 ? '' : `numgen random mod 10000 < ${share} `
  return portMatches(port, direction).map((match) => `${match} udp dport ${udpPort} ${random}drop`)
}

/** Drops everything between ports of different groups, both ways. */
export function partPorts(groups: readonly (readonly string[])[]): string[] {
  const set = (ports: readonly string[]): string => `{ ${ports.map((port) => `"${port}"`).join(', ')} }`
  const rules: string[] = []
  for (const [index, group] of groups.entries()) {
    const others = groups.toSpliced(index, 1).flat()
    if (group.length > 0 && others.length > 0) rules.push(`iifname ${set(group)} oifname ${set(others)} drop`)
  }
  return rules
}

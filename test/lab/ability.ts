import { spawnSync } from 'node:child_process'
import { PYTHON } from './sniffer.ts'

/** How namespaces are made here: by real root, or by an ordinary user who is root inside a user namespace. */
export type LabMode = 'root' | 'user'

/** PATH for everything the lab starts; `ip` and `nft` lie in sbin, which an ordinary user's PATH may lack. */
export const LAB_PATH = `${process.env['PATH'] ?? '/usr/bin:/bin'}:/usr/sbin:/sbin`

// One throw-away namespace in which everything the lab builds on is tried once.
const TRIAL = `set -e
for tool in ip nft nsenter setpriv mount hostname; do
  command -v $tool >/dev/null || { echo "'$tool' is not installed" >&2; exit 1; }
done
ip link add b0 type bridge mcast_snooping 0
ip link add v0 type veth peer name v1
printf '%s\\n' 'table bridge t { chain c { type filter hook forward priority 0; udp dport 1 numgen random mod 9 < 1 drop; }; }' | nft -f -
printf '%s\\n' 'table inet t { chain c { type filter hook input priority 0; meta pkttype broadcast drop; }; }' | nft -f -`

let known: { mode: LabMode } | { reason: string } | undefined

function attempt(mode: LabMode): string | undefined {
  const user = mode === 'user' ? ['--user', '--map-root-user'] : []
  const trial = spawnSync('unshare', [...user, '--net', '--uts', '--mount', '--', 'sh', '-c', TRIAL], {
    env: { PATH: LAB_PATH },
    encoding: 'utf8',
    timeout: 10_000,
  })
  if (trial.error) return `cannot run 'unshare' (util-linux): ${trial.error.message}`
  if (trial.status === 0) return undefined
  return trial.stderr.trim().split('\n')[0] || `'unshare' ended with status ${trial.status}`
}

function ability(): { mode: LabMode } | { reason: string } {
  if (known) return known
  if (process.platform !== 'linux') {
    known = { reason: 'network namespaces exist on Linux only' }
    return known
  }
  // Root in a container often lacks the right to make namespaces directly, but may still make a user namespace.
  const modes: LabMode[] = process.geteuid?.() === 0 ? ['root', 'user'] : ['user']
  const reasons: string[] = []
  for (const mode of modes) {
    const reason = attempt(mode)
    if (reason === undefined) {
      known = { mode }
      return known
    }
    reasons.push(reason)
  }
  known = { reason: `cannot make network namespaces: ${[...new Set(reasons)].join('; ')}` }
  return known
}

/** Why no lab can be made here, or undefined when one can. Tried once per process, in a throw-away namespace (~50 ms). */
export function labAvailable(): string | undefined {
  const found = ability()
  return 'reason' in found ? found.reason : undefined
}

/** How namespaces are made here. Throws the reason when they cannot be. */
export function labMode(): LabMode {
  const found = ability()
  if ('reason' in found) throw new Error(found.reason)
  return found.mode
}

/** Why the lab has no Avahi or no zeroconf, or undefined when it has. */
export function mdnsAvailable(): string | undefined {
  const tools = ['avahi-daemon', 'avahi-browse', 'dbus-daemon']
  const look = `for tool in ${tools.join(' ')}; do command -v $tool >/dev/null || { echo "'$tool' is not installed"; exit; }; done
${PYTHON} -c 'import zeroconf' 2>/dev/null || echo 'python3-zeroconf is not installed'`
  const { stdout } = spawnSync('sh', ['-c', look], { env: { PATH: LAB_PATH }, encoding: 'utf8' })
  return stdout.trim() || undefined
}

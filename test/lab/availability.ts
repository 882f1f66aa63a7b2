import { spawnSync } from 'node:child_process'
import { PYTHON } from './sniffer.ts'

/** How namespaces are created: by real root, or by an ordinary user who is root inside a user namespace. */
export type LabMode = 'root' | 'user'

/** PATH for everything the lab starts. `ip` and `nft` are in sbin, which may be missing in an ordinary user's PATH. */
export const LAB_PATH = `${process.env['PATH'] ?? '/usr/bin:/bin'}:/usr/sbin:/sbin`

// Tries, in a temporary namespace, every kernel feature and tool that the lab needs.
const PROBE_SCRIPT = `set -e
for tool in ip nft nsenter setpriv mount hostname; do
  command -v $tool >/dev/null || { echo "'$tool' is not installed" >&2; exit 1; }
done
ip link add b0 type bridge mcast_snooping 0
ip link add v0 type veth peer name v1
printf '%s\\n' 'table bridge t { chain c { type filter hook forward priority 0; udp dport 1 numgen random mod 9 < 1 drop; }; }' | nft -f -
printf '%s\\n' 'table inet t { chain c { type filter hook input priority 0; meta pkttype broadcast drop; }; }' | nft -f -`

let cached: { mode: LabMode } | { reason: string } | undefined

function tryMode(mode: LabMode): string | undefined {
  const user = mode === 'user' ? ['--user', '--map-root-user'] : []
  const trial = spawnSync('unshare', [...user, '--net', '--uts', '--mount', '--', 'sh', '-c', PROBE_SCRIPT], {
    env: { PATH: LAB_PATH },
    encoding: 'utf8',
    timeout: 10_000,
  })
  if (trial.error) return `cannot run 'unshare' (util-linux): ${trial.error.message}`
  if (trial.status === 0) return undefined
  return trial.stderr.trim().split('\n')[0] || `'unshare' ended with status ${trial.status}`
}

function detectLab(): { mode: LabMode } | { reason: string } {
  if (cached) return cached
  if (process.platform !== 'linux') {
    cached = { reason: 'network namespaces exist on Linux only' }
    return cached
  }
  // Root in a container often cannot create network namespaces directly, but can create a user namespace.
  const modes: LabMode[] = process.geteuid?.() === 0 ? ['root', 'user'] : ['user']
  const reasons: string[] = []
  for (const mode of modes) {
    const reason = tryMode(mode)
    if (reason === undefined) {
      cached = { mode }
      return cached
    }
    reasons.push(reason)
  }
  cached = { reason: `cannot create network namespaces: ${[...new Set(reasons)].join('; ')}` }
  return cached
}

/** The reason why the lab does not work on this machine, or undefined if it works. Cached. Takes about 50 ms. */
export function labUnavailableReason(): string | undefined {
  const found = detectLab()
  return 'reason' in found ? found.reason : undefined
}

/** How namespaces are created on this machine. Throws the reason if they cannot be created. */
export function labMode(): LabMode {
  const found = detectLab()
  if ('reason' in found) throw new Error(found.reason)
  return found.mode
}

/** The reason why the lab cannot run Avahi or zeroconf, or undefined if it can. */
export function mdnsUnavailableReason(): string | undefined {
  const tools = ['avahi-daemon', 'avahi-browse', 'dbus-daemon']
  const script = `for tool in ${tools.join(' ')}; do command -v $tool >/dev/null || { echo "'$tool' is not installed"; exit; }; done
${PYTHON} -c 'import zeroconf' 2>/dev/null || echo 'python3-zeroconf is not installed'`
  const { stdout } = spawnSync('sh', ['-c', script], { env: { PATH: LAB_PATH }, encoding: 'utf8' })
  return stdout.trim() || undefined
}

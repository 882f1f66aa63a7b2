import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { LAB_PATH, labMode } from './availability.ts'
import { type RunOptions, runOk } from './run.ts'

export interface NamespaceOptions {
  /** Host name inside the namespace. */
  readonly hostname: string
  /** Another namespace of the lab. An ordinary user must create all namespaces in the user namespace of the first. */
  readonly beside?: Namespace
  /** Shell commands that run inside before `create` resolves. `$1`, `$2` … are `args`. */
  readonly setup?: string
  /** Shell commands that run inside when the namespace is removed, also after a crash of the test process. */
  readonly teardown?: string
  readonly args?: readonly string[]
}

// The holder process runs until its standard input ends: when the lab closes it, or when the test process ends for any
// reason. It then kills all other processes in its network namespace. When the holder ends, the kernel removes the
// namespace with its veths and bridges.
// Settings: addresses are usable at once (no duplicate address detection), there are no router solicitations, and the
// removal of a primary IPv4 address keeps the secondary ones (as systemd configures it).
// /sys is mounted again because a sysfs shows the interfaces of the namespace in which it was mounted.
const holder = (setup: string, teardown: string): string => `trap '' INT TERM HUP
set -e
hostname "$0"
mount -t sysfs sysfs /sys 2>/dev/null || :
if [ -d /proc/sys/net/ipv6 ]; then
  for scope in all default; do
    for key in accept_dad dad_transmits accept_ra router_solicitations; do
      echo 0 > /proc/sys/net/ipv6/conf/$scope/$key
    done
    echo 1 > /proc/sys/net/ipv6/conf/$scope/keep_addr_on_down
  done
fi
for scope in all default; do echo 1 > /proc/sys/net/ipv4/conf/$scope/promote_secondaries; done
ip link set lo up
${setup}
echo up
set +e
while read -r line; do :; done
for round in 1 2; do
  for process in /proc/[0-9]*; do
    [ "$process" != /proc/$$ ] && [ "$process/ns/net" -ef /proc/$$/ns/net ] && kill -9 "\${process#/proc/}"
  done 2>/dev/null
done
${teardown}
`

/** A network namespace with its own host name and mounts. It exists as long as its holder process. */
export class Namespace {
  /** Process id of the holder, for `ip link … netns PID` and `nsenter -t PID`. */
  readonly pid: number
  /** Command prefix that runs a command inside. Each part of it execs, so the process id is that of the command. */
  readonly enter: readonly string[]
  #holder: ChildProcess
  #gone: Promise<void>

  private constructor(holder: ChildProcess, pid: number, enter: readonly string[]) {
    this.#holder = holder
    this.pid = pid
    this.enter = enter
    this.#gone = new Promise((resolve) => holder.once('close', () => resolve()))
  }

  /** Creates a namespace and waits for its setup. Rejects with the setup's error output if it fails. */
  static async create(options: NamespaceOptions): Promise<Namespace> {
    const user = labMode() === 'user'
    const argv = [
      ...(user && options.beside
        ? ['nsenter', '-t', String(options.beside.pid), '-U', '--preserve-credentials', '--']
        : []),
      ...['unshare', ...(user && !options.beside ? ['--user', '--map-root-user'] : []), '--net', '--uts', '--mount'],
      ...['--', 'sh', '-c', holder(options.setup ?? '', options.teardown ?? ''), options.hostname],
      ...(options.args ?? []),
    ]
    const [command = '', ...args] = argv
    const child = spawn(command, args, { env: { PATH: LAB_PATH }, stdio: 'pipe' })
    child.stdin.on('error', () => {})
    let errorOutput = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errorOutput += text
    })
    await new Promise<void>((resolve, reject) => {
      const fail = (): void => reject(new Error(`cannot create the namespace of '${options.hostname}': ${errorOutput}`))
      child.once('error', (error) => {
        errorOutput += error.message
        fail()
      })
      child.once('close', fail)
      createInterface({ input: child.stdout }).once('line', () => resolve())
    })
    const pid = child.pid
    if (pid === undefined) throw new Error(`the holder of '${options.hostname}' has no process id`)
    const enter = [
      'nsenter',
      '-t',
      String(pid),
      ...(user ? ['-U', '--preserve-credentials'] : []),
      '-n',
      '-u',
      '-m',
      '--',
    ]
    return new Namespace(child, pid, enter)
  }

  /** Runs `ip` commands inside, all in one process. Rejects at the first command that fails. */
  async ip(lines: readonly string[]): Promise<void> {
    if (lines.length > 0) await runOk([...this.enter, 'ip', '-batch', '-'], { input: `${lines.join('\n')}\n` })
  }

  /** Runs a shell script inside. Returns its standard output. Rejects if the script fails. */
  sh(script: string, options: RunOptions = {}): Promise<string> {
    return runOk([...this.enter, 'sh', '-ec', script], options)
  }

  /** Loads an nftables ruleset inside, as one transaction. */
  async nft(ruleset: string): Promise<void> {
    await runOk([...this.enter, 'nft', '-f', '-'], { input: ruleset })
  }

  /** Kills all processes inside and removes the namespace. Resolves when the holder has ended. */
  async close(): Promise<void> {
    this.#holder.stdin?.end()
    await this.#gone
  }
}

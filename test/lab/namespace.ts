import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { LAB_PATH, labMode } from './ability.ts'
import { type RunOptions, runOk } from './run.ts'

export interface NamespaceOptions {
  /** Host name seen inside. */
  readonly hostname: string
  /** A namespace of the same lab. An ordinary user has to make all of them in the first one's user namespace. */
  readonly beside?: Namespace
  /** Shell commands run inside before the namespace counts as made; `$1`, `$2` … are `args`. */
  readonly setup?: string
  /** Shell commands run inside when it comes down, also after a crash of the test process. */
  readonly teardown?: string
  readonly args?: readonly string[]
}

// The holder lives until its standard input ends: when the lab closes it, or when the test process dies, however it dies.
// It then kills what still runs in its network namespace, and the kernel takes namespace, veths and bridges down with it.
// Addresses are usable at once (no duplicate address detection), no router is asked for, and the removal of an IPv4
// address does not take its neighbours away (as systemd sets it).
// /sys is mounted anew because a sysfs shows the interfaces of the namespace that it was mounted in.
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

/** One network namespace (with host name and mounts of its own), alive as long as its holder process. */
export class Namespace {
  /** Process id of the holder; `ip link … netns PID` and `nsenter -t PID` take it. */
  readonly pid: number
  /** Put before a command, runs it inside. Everything in it execs, so the process id stays that of the command. */
  readonly enter: readonly string[]
  #holder: ChildProcess
  #gone: Promise<void>

  private constructor(holder: ChildProcess, pid: number, enter: readonly string[]) {
    this.#holder = holder
    this.pid = pid
    this.enter = enter
    this.#gone = new Promise((resolve) => holder.once('close', () => resolve()))
  }

  /** Makes a namespace and waits until its set-up is done. Rejects with what the set-up said when it fails. */
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
    let complaint = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      complaint += text
    })
    await new Promise<void>((resolve, reject) => {
      const fail = (): void => reject(new Error(`cannot make the namespace of '${options.hostname}': ${complaint}`))
      child.once('error', (error) => {
        complaint += error.message
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

  /** Runs `ip` commands inside, all in one process; rejects at the first that fails. */
  async ip(lines: readonly string[]): Promise<void> {
    if (lines.length > 0) await runOk([...this.enter, 'ip', '-batch', '-'], { input: `${lines.join('\n')}\n` })
  }

  /** Runs a shell script inside; rejects when it fails. Returns its standard output. */
  sh(script: string, options: RunOptions = {}): Promise<string> {
    return runOk([...this.enter, 'sh', '-ec', script], options)
  }

  /** Loads an nftables ruleset inside, all of it or nothing. */
  async nft(ruleset: string): Promise<void> {
    await runOk([...this.enter, 'nft', '-f', '-'], { input: ruleset })
  }

  /** Ends everything that runs inside and lets the namespace go. Resolves when the holder is gone. */
  async close(): Promise<void> {
    this.#holder.stdin?.end()
    await this.#gone
  }
}

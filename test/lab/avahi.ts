import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type BrowseLine, parseBrowseLine, type ResolvedLine } from './avahi-lines.ts'
import { Feed, WAIT_TIMEOUT_MS } from './feed.ts'
import type { Exit, LabProcess } from './lab-process.ts'
import type { Namespace } from './namespace.ts'
import type { Output } from './run.ts'

export interface AvahiOptions {
  /** mDNS host name without `.local`. Default: the name of the lab host. */
  readonly name?: string
  /** More lines for the section `[server]` of avahi-daemon.conf, for example `deny-interfaces=eth1`. */
  readonly server?: readonly string[]
}

export interface PublishOptions {
  readonly txt?: readonly string[]
  /** For example `_color._sub._ipp._tcp`. */
  readonly subtypes?: readonly string[]
}

/** The part of a lab host that Avahi uses. */
interface AvahiHost {
  readonly name: string
  readonly dir: string
  readonly namespace: Namespace
  exec(command: string, args: readonly string[], options?: { timeout?: number }): Promise<Output>
  spawn(command: string, args: readonly string[]): Promise<LabProcess>
}

const BUS = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
 <type>system</type>
 <listen>unix:path=/run/dbus/system_bus_socket</listen>
 <policy context="default">
  <allow user="*"/><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/>
 </policy>
</busconfig>
`

// Mounts a private /run for the sockets of the bus and of Avahi. Avahi gives its directory to the user avahi. A user
// namespace has no such user, so the mounted passwd file maps avahi to root.
const SETUP = `[ ! -d /run/lab ] || exit 0
mount -t tmpfs tmpfs /run
mkdir /run/lab /run/dbus
printf 'root:x:0:0::/:/bin/sh\\navahi:x:0:0::/:/bin/sh\\n' > /run/lab/passwd
printf 'root:x:0:\\navahi:x:0:\\nnetdev:x:0:\\n' > /run/lab/group
for file in passwd group; do mount --bind /run/lab/$file /etc/$file; done`

/** A real avahi-daemon on a host, with its own system bus. The methods call Debian's avahi-utils. */
export class Avahi implements AsyncDisposable {
  readonly process: LabProcess
  readonly #host: AvahiHost

  private constructor(host: AvahiHost, process: LabProcess) {
    this.#host = host
    this.process = process
  }

  /** Starts the daemon, and a bus if the host has none yet. Resolves when the daemon's host name is established. */
  static async start(host: AvahiHost, options: AvahiOptions = {}): Promise<Avahi> {
    const bus = join(host.dir, 'bus.conf')
    const conf = join(host.dir, 'avahi-daemon.conf')
    const server = [`host-name=${options.name ?? host.name}`, ...(options.server ?? [])]
    writeFileSync(bus, BUS)
    writeFileSync(conf, `[server]\n${server.join('\n')}\n[wide-area]\nenable-wide-area=no\n`)
    await host.namespace.sh(SETUP)
    const { code } = await host.exec('test', ['-S', '/run/dbus/system_bus_socket'])
    if (code !== 0) {
      const process = await host.spawn('dbus-daemon', [`--config-file=${bus}`, '--nofork', '--print-address'])
      await process.waitForLine(/^unix:/)
    }
    const root = ['--no-drop-root', '--no-chroot', '--no-rlimits']
    const process = await host.spawn('avahi-daemon', ['-f', conf, ...root])
    await process.waitForLine(/Server startup complete/)
    return new Avahi(host, process)
  }

  /** The current host name, for example `printer.local`. It differs from the configured one after a name conflict. */
  async hostname(): Promise<string> {
    const method = ['org.freedesktop.Avahi', '/', 'org.freedesktop.Avahi.Server.GetHostNameFqdn']
    const [to = '', ...what] = method
    const { stdout, stderr } = await this.#host.exec('dbus-send', [
      ...['--system', '--print-reply=literal', `--dest=${to}`],
      ...what,
    ])
    if (stdout.trim() === '') throw new Error(`Avahi of '${this.#host.name}' does not report its host name: ${stderr}`)
    return stdout.trim()
  }

  /** Runs `avahi-browse -rptk TYPE`: resolved instances, per interface and IP version. Takes one to two seconds. */
  async browse(type: string): Promise<ResolvedLine[]> {
    const { stdout } = await this.#host.exec('avahi-browse', ['-rptk', type], { timeout: 20_000 })
    const lines = stdout.split('\n').map((text) => parseBrowseLine(text, performance.now()))
    return lines.filter((line) => line?.change === 'resolved')
  }

  /** Starts `avahi-browse -rpk TYPE`, which reports changes until it is disposed. */
  async watch(type: string): Promise<AvahiBrowser> {
    return new AvahiBrowser(await this.#host.spawn('stdbuf', ['-oL', 'avahi-browse', '-rpk', type]))
  }

  /**
   * Starts `avahi-publish-service`, which publishes until it is killed. Resolves when the name is established, which
   * its output reports as `Established under name '…'`.
   */
  async publish(name: string, type: string, port: number, options: PublishOptions = {}): Promise<LabProcess> {
    const subtypes = (options.subtypes ?? []).map((subtype) => `--subtype=${subtype}`)
    const args = [...subtypes, '--', name, type, String(port), ...(options.txt ?? [])]
    const process = await this.#host.spawn('avahi-publish-service', args)
    await process.waitForLine(/Established under name/)
    return process
  }

  /** Runs `avahi-resolve -a ADDRESS`. Returns the host name, or undefined if there was no answer. */
  async nameOf(address: string): Promise<string | undefined> {
    const { stdout } = await this.#host.exec('avahi-resolve', ['-a', address], { timeout: 20_000 })
    return stdout.trim().split('\t')[1]
  }

  /** Runs `avahi-resolve -n HOSTNAME`. Returns the address, or undefined if there was no answer. */
  async resolve(hostname: string, family: 'ipv4' | 'ipv6' = 'ipv4'): Promise<string | undefined> {
    const version = family === 'ipv4' ? '-4' : '-6'
    const { stdout } = await this.#host.exec('avahi-resolve', [version, '-n', hostname], { timeout: 20_000 })
    return stdout.trim().split('\t')[1]
  }

  /** Sends SIGTERM: Avahi sends goodbyes for everything that it publishes. */
  stop(): Promise<Exit> {
    return this.process.kill('SIGTERM')
  }

  /** Sends SIGKILL: Avahi cannot send goodbyes. */
  kill(): Promise<Exit> {
    return this.process.kill('SIGKILL')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }
}

/** The parsed output of a running avahi-browse. */
export class AvahiBrowser implements AsyncDisposable {
  readonly process: LabProcess
  readonly #feed = new Feed<BrowseLine>()

  constructor(process: LabProcess) {
    this.process = process
    void this.#read()
  }

  /** The lines so far, oldest first. */
  get lines(): readonly BrowseLine[] {
    return this.#feed.items
  }

  /** The first matching line: an earlier one from index `from` on, or one within `timeoutMs`. */
  waitFor(wanted: (line: BrowseLine) => boolean, timeoutMs = WAIT_TIMEOUT_MS, from = 0): Promise<BrowseLine> {
    const output = (): string => this.process.stdout.slice(-10).join('\n  ')
    return this.#feed.find(wanted, timeoutMs, () => `matching line of avahi-browse; its output:\n  ${output()}`, from)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.process.kill()
  }

  async #read(): Promise<void> {
    for await (const { stream, text, at } of this.process.lines) {
      const line = stream === 'stdout' ? parseBrowseLine(text, at) : undefined
      if (line) this.#feed.push(line)
    }
    this.#feed.end()
  }
}

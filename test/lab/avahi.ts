import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type BrowseLine, parseBrowseLine, type ResolvedLine } from './avahi-lines.ts'
import { Feed } from './feed.ts'
import type { Exit, LabProcess } from './lab-process.ts'
import type { Namespace } from './namespace.ts'
import type { Output } from './run.ts'

export interface AvahiOptions {
  /** The host's name in mDNS, without `.local`; default the host's name. */
  readonly name?: string
  /** Further lines of avahi-daemon.conf's `[server]`, such as `deny-interfaces=eth1`. */
  readonly server?: readonly string[]
}

export interface PublishOptions {
  readonly txt?: readonly string[]
  /** Such as `_color._sub._ipp._tcp`. */
  readonly subtypes?: readonly string[]
}

/** What Avahi needs of its host. */
interface Site {
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

// A /run of its own, with room for the sockets of a bus and of Avahi. Avahi gives its directory to the user avahi, who
// does not exist in a user namespace: here that is root.
const SETUP = `[ ! -d /run/lab ] || exit 0
mount -t tmpfs tmpfs /run
mkdir /run/lab /run/dbus
printf 'root:x:0:0::/:/bin/sh\\navahi:x:0:0::/:/bin/sh\\n' > /run/lab/passwd
printf 'root:x:0:\\navahi:x:0:\\nnetdev:x:0:\\n' > /run/lab/group
for file in passwd group; do mount --bind /run/lab/$file /etc/$file; done`

/** A real avahi-daemon in a host, with a system bus of its own, and Debian's avahi-utils to talk to it. */
export class Avahi implements AsyncDisposable {
  readonly process: LabProcess
  readonly #site: Site

  private constructor(site: Site, process: LabProcess) {
    this.#site = site
    this.process = process
  }

  /** Starts a bus, where the host has none yet, and the daemon; resolves when the daemon's host name is established. */
  static async start(site: Site, options: AvahiOptions = {}): Promise<Avahi> {
    const bus = join(site.dir, 'bus.conf')
    const conf = join(site.dir, 'avahi-daemon.conf')
    const server = [`host-name=${options.name ?? site.name}`, ...(options.server ?? [])]
    writeFileSync(bus, BUS)
    writeFileSync(conf, `[server]\n${server.join('\n')}\n[wide-area]\nenable-wide-area=no\n`)
    await site.namespace.sh(SETUP)
    const { code } = await site.exec('test', ['-S', '/run/dbus/system_bus_socket'])
    if (code !== 0) {
      const process = await site.spawn('dbus-daemon', [`--config-file=${bus}`, '--nofork', '--print-address'])
      await process.waitForLine(/^unix:/)
    }
    const root = ['--no-drop-root', '--no-chroot', '--no-rlimits']
    const process = await site.spawn('avahi-daemon', ['-f', conf, ...root])
    await process.waitForLine(/Server startup complete/)
    return new Avahi(site, process)
  }

  /** Its host name now, `printer.local`; another one than it was given when that was taken. */
  async hostname(): Promise<string> {
    const method = ['org.freedesktop.Avahi', '/', 'org.freedesktop.Avahi.Server.GetHostNameFqdn']
    const [to = '', ...what] = method
    const { stdout, stderr } = await this.#site.exec('dbus-send', [
      ...['--system', '--print-reply=literal', `--dest=${to}`],
      ...what,
    ])
    if (stdout.trim() === '') throw new Error(`Avahi of '${this.#site.name}' does not tell its host name: ${stderr}`)
    return stdout.trim()
  }

  /** `avahi-browse -rptk TYPE`: what it could resolve, one for each interface and IP version. Takes it a second or two. */
  async browse(type: string): Promise<ResolvedLine[]> {
    const { stdout } = await this.#site.exec('avahi-browse', ['-rptk', type], { timeout: 20_000 })
    const lines = stdout.split('\n').map((text) => parseBrowseLine(text, performance.now()))
    return lines.filter((line) => line?.change === 'resolved')
  }

  /** `avahi-browse -rpk TYPE`, which goes on telling until it is disposed of. */
  async watch(type: string): Promise<AvahiBrowser> {
    return new AvahiBrowser(await this.#site.spawn('stdbuf', ['-oL', 'avahi-browse', '-rpk', type]))
  }

  /**
   * `avahi-publish-service`, which publishes until it is killed. Resolves when the name is established; the line that
   * says so is in its output: `Established under name '…'`.
   */
  async publish(name: string, type: string, port: number, options: PublishOptions = {}): Promise<LabProcess> {
    const subtypes = (options.subtypes ?? []).map((subtype) => `--subtype=${subtype}`)
    const args = [...subtypes, '--', name, type, String(port), ...(options.txt ?? [])]
    const process = await this.#site.spawn('avahi-publish-service', args)
    await process.waitForLine(/Established under name/)
    return process
  }

  /** `avahi-resolve -a ADDRESS`: its host name, undefined when nobody answered. */
  async nameOf(address: string): Promise<string | undefined> {
    const { stdout } = await this.#site.exec('avahi-resolve', ['-a', address], { timeout: 20_000 })
    return stdout.trim().split('\t')[1]
  }

  /** `avahi-resolve -n HOSTNAME`: its address, undefined when nobody answered. */
  async resolve(hostname: string, family: 'ipv4' | 'ipv6' = 'ipv4'): Promise<string | undefined> {
    const version = family === 'ipv4' ? '-4' : '-6'
    const { stdout } = await this.#site.exec('avahi-resolve', [version, '-n', hostname], { timeout: 20_000 })
    return stdout.trim().split('\t')[1]
  }

  /** SIGTERM: it says goodbye for all that it publishes. */
  stop(): Promise<Exit> {
    return this.process.kill('SIGTERM')
  }

  /** SIGKILL: it cannot say goodbye. */
  kill(): Promise<Exit> {
    return this.process.kill('SIGKILL')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }
}

/** A running avahi-browse, line by line. */
export class AvahiBrowser implements AsyncDisposable {
  readonly process: LabProcess
  readonly #feed = new Feed<BrowseLine>()

  constructor(process: LabProcess) {
    this.process = process
    void this.#read()
  }

  /** What it has said so far, oldest first. */
  get lines(): readonly BrowseLine[] {
    return this.#feed.items
  }

  /** The first wanted line, said already (from index `from` on) or to come within `timeoutMs` (default 15,000). */
  waitFor(wanted: (line: BrowseLine) => boolean, timeoutMs = 15_000, from = 0): Promise<BrowseLine> {
    const said = (): string => this.process.stdout.slice(-10).join('\n  ')
    return this.#feed.find(wanted, timeoutMs, () => `wanted line of avahi-browse; it said:\n  ${said()}`, from)
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

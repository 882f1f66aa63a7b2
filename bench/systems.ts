import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { LAB_PATH } from '../test/lab/availability.ts'
import { packagePath } from './paths.ts'
import type { Programs } from './programs.ts'
import type { Machine } from './scene.ts'

/** A system whose costs are compared with others. Each of its hosts runs one daemon. */
export interface System {
  readonly name: string
  isInstalled(): boolean
  /** Writes the configuration, and starts what the daemon needs. */
  prepare?(machine: Machine): Promise<void>
  /** The argument list of the daemon. `first`: the machine on which the first one was started. */
  daemon(machine: Machine, programs: Programs, first: Machine): string[]
  /** The argument list of a program that prints the newcomers. Absent: the daemon prints them. */
  watcher?(machine: Machine, programs: Programs): string[]
  /** Whether a line of the watcher or of the daemon says that this peer has come. */
  announces(line: string, name: string): boolean
  /** The argument list of the command that lists the peers. */
  list?(machine: Machine, programs: Programs): string[]
}

const EARSHOT: System = {
  name: 'earshot',
  isInstalled: () => true,
  daemon: (machine, { daemon }) => [
    ...daemon,
    ...['--name', machine.host.name, '--state-dir', join(machine.host.dir, 'state'), '--http', 'off'],
    ...socketOf(machine),
  ],
  watcher: (machine, { earshot }) => [...earshot, 'watch', ...socketOf(machine)],
  announces: (line, name) => line.startsWith('+') && line.split(/\s+/).includes(name),
  list: (machine, { earshot }) => [...earshot, 'ls', ...socketOf(machine)],
}

function socketOf({ host }: Machine): string[] {
  return ['--socket', join(host.dir, 'c.sock')]
}

const SERF: System = {
  name: 'Serf',
  isInstalled: () => hasCommand('serf'),
  async prepare({ host }) {
    writeFileSync(join(host.dir, 'serf.json'), JSON.stringify({ leave_on_terminate: true }))
  },
  daemon: ({ host }, _programs, first) => [
    'serf',
    'agent',
    `-node=${host.name}`,
    `-bind=${host.address()}`,
    `-config-file=${join(host.dir, 'serf.json')}`,
    ...(host === first.host ? [] : [`-retry-join=${first.host.address()}`, '-retry-interval=1s']),
  ],
  announces: (line, name) => line.includes(`EventMemberJoin: ${name} `),
  list: () => ['serf', 'members'],
}

const AVAHI: System = {
  name: 'Avahi',
  isInstalled: () => hasCommand('avahi-daemon') && hasCommand('avahi-browse') && hasCommand('dbus-daemon'),
  async prepare({ host }) {
    // The lab starts the message bus and writes the configuration. Each host publishes itself as a workstation.
    const avahi = await host.avahi({ server: ['[publish]', 'publish-workstation=yes'] })
    await avahi.stop()
  },
  daemon: ({ host }) => [
    'avahi-daemon',
    ...['-f', join(host.dir, 'avahi-daemon.conf'), '--no-drop-root', '--no-chroot', '--no-rlimits'],
  ],
  watcher: () => ['stdbuf', '-oL', 'avahi-browse', '-p', '_workstation._tcp'],
  announces: (line, name) => line.startsWith('+') && line.includes(`;${name}\\032`),
  list: () => ['avahi-browse', '-tp', '_workstation._tcp'],
}

const NODE_DISCOVER: System = {
  name: 'node-discover',
  isInstalled: () => hasModule('node-discover'),
  daemon: ({ host, lan }, { node }) => [node, packagePath('bench/tools/node-discover.cjs'), host.name, lan.broadcast],
  announces: (line, name) => line === `added ${name}`,
}

/** earshot itself, and the other systems. */
export const SYSTEMS: readonly System[] = [EARSHOT, SERF, AVAHI, NODE_DISCOVER]

function hasCommand(name: string): boolean {
  try {
    execFileSync('sh', ['-c', `command -v ${name}`], { env: { PATH: LAB_PATH } })
    return true
  } catch {
    return false
  }
}

function hasModule(name: string): boolean {
  try {
    createRequire(import.meta.url).resolve(name)
    return true
  } catch {
    return false
  }
}

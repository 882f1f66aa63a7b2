import type { Options, PositionalOptions } from 'yargs'
import { listFlag, textFlag } from '../shared/flags.ts'
import { peerOptions } from './command.ts'

/** The commands of `earshot` with their arguments and flags, in the terms of yargs. What they do is in a file for each. */

/** The command line of a command. */
export interface CommandLine {
  /** Its name and its arguments: `show <peer>`. */
  command: string
  aliases?: readonly string[]
  describe: string
  /** Its arguments by name, in their order. */
  arguments?: Readonly<Record<string, PositionalOptions>>
  flags?: Readonly<Record<string, Options>>
  /** Whether another command may follow after `--`. */
  takesCommand?: boolean
  /** A line below its help. */
  epilogue?: string
}

/** The flags of every command. */
export const GLOBAL_FLAGS = {
  socket: { ...textFlag, describe: "The daemon's control socket (also EARSHOT_SOCKET)" },
  json: { type: 'boolean', describe: "JSON in the HTTP API's shape" },
} as const satisfies Record<string, Options>

/** How long a run of `watch --exec` may take. */
export const DEFAULT_EXEC_TIMEOUT = '30s'

const noHeaders = { type: 'boolean', describe: 'Leave out the line of headings' } as const satisfies Options

export const COMMANDS = {
  ls: {
    command: 'ls',
    aliases: ['members'],
    describe: 'List the peers on this network',
    flags: {
      ...peerOptions,
      wide: { type: 'boolean', describe: 'Cut nothing, show all addresses' },
      ids: { type: 'boolean', describe: "Also the peers' ids" },
      'no-headers': noHeaders,
      parsable: {
        alias: 'p',
        type: 'boolean',
        describe: 'Their services, in the format of avahi-browse -rpk',
        conflicts: ['json', 'live'],
      },
      live: { type: 'boolean', describe: 'Refresh the table in place, until Ctrl-C', conflicts: 'json' },
    },
  },
  services: {
    command: 'services [type]',
    describe: 'List the services on this network',
    arguments: {
      type: { type: 'string', describe: 'Only those of this type: http, osc/udp or _http._tcp' },
    },
    flags: {
      state: { ...peerOptions.state, describe: 'Only of peers in this state: alive, suspect, failed, left or all' },
      where: { ...peerOptions.where, describe: 'Only of peers with this attribute: status=idle' },
      signed: peerOptions.signed,
      all: { ...peerOptions.all, describe: 'Also of peers that have failed or left' },
      self: { type: 'boolean', describe: "Also this machine's own" },
      wide: { type: 'boolean', describe: 'Cut nothing' },
      'no-headers': noHeaders,
      parsable: { alias: 'p', type: 'boolean', describe: 'In the format of avahi-browse -rpk', conflicts: 'json' },
    },
  },
  show: {
    command: 'show <peer>',
    describe: 'Everything known of one peer',
    arguments: {
      peer: {
        type: 'string',
        demandOption: true,
        describe: 'Its name, its id, or the beginning of its id (four characters or more)',
      },
    },
  },
  watch: {
    command: 'watch',
    describe: 'The peers now, then changes as they happen: + new, ~ changed, ? suspect, - gone',
    flags: {
      service: peerOptions.service,
      where: { ...peerOptions.where, conflicts: 'json' },
      self: peerOptions.self,
      exec: {
        ...textFlag,
        describe:
          'Print nothing; run this with sh for each change, which it gets on standard input and in EARSHOT_… variables',
        conflicts: 'json',
      },
      'exec-timeout': {
        ...textFlag,
        describe: 'Kill a run of --exec that takes longer',
        defaultDescription: DEFAULT_EXEC_TIMEOUT,
      },
    },
  },
  publish: {
    command: 'publish <name> <type> <port> [txt..]',
    aliases: ['announce'],
    describe: 'Publish a service while this runs, or while the command after -- does',
    arguments: {
      name: { type: 'string', demandOption: true, describe: 'Its name, for people' },
      type: { type: 'string', demandOption: true, describe: 'http, osc/udp or _http._tcp' },
      port: { type: 'string', demandOption: true, describe: 'Its port, 0 to 65535' },
      txt: { type: 'string', array: true, describe: 'TXT pairs: path=/list' },
    },
    flags: {
      subtype: { ...listFlag, describe: 'A DNS-SD subtype; may be repeated' },
      id: {
        ...textFlag,
        describe: 'Id of the service within this machine',
        defaultDescription: 'made from NAME, TYPE and random digits',
      },
      ttl: {
        ...textFlag,
        describe: 'Withdraw the service if it is not renewed for this long',
        defaultDescription: '10s; with --detach, never',
      },
      detach: {
        type: 'boolean',
        describe: 'Print its id and exit; it stays published for --ttl, or until unpublished',
      },
    },
    takesCommand: true,
    epilogue: 'earshot publish Shop http 8080 path=/ -- node shop.js',
  },
  unpublish: {
    command: 'unpublish <id>',
    describe: 'Withdraw a service of this machine',
    arguments: {
      id: {
        type: 'string',
        demandOption: true,
        describe: "Its id, as 'publish --detach' printed it and 'status' lists it",
      },
    },
  },
  set: {
    command: 'set <pairs..>',
    describe: "Set this machine's attributes: status=idle temperature=21.5",
    arguments: {
      pairs: {
        type: 'string',
        array: true,
        demandOption: true,
        describe: 'KEY=VALUE; true, false and numbers are taken as such, "true" and "5" in quotes as text',
      },
    },
  },
  unset: {
    command: 'unset <keys..>',
    describe: "Remove some of this machine's attributes",
    arguments: { keys: { type: 'string', array: true, demandOption: true, describe: 'Their keys' } },
  },
  resolve: {
    command: 'resolve <name>',
    describe: 'The address of a peer, or of a service: curl http://$(earshot resolve kitchen --service http)',
    arguments: {
      name: {
        type: 'string',
        demandOption: true,
        describe: "A peer's name or id, a service's name, or a host's: printer.local",
      },
    },
    flags: {
      service: {
        ...textFlag,
        describe: 'The address and port of its service of this type: http, osc/udp or _http._tcp',
      },
      ipv4: { alias: '4', type: 'boolean', describe: 'An IPv4 address', conflicts: 'ipv6' },
      ipv6: { alias: '6', type: 'boolean', describe: 'An IPv6 address' },
      signed: peerOptions.signed,
    },
  },
  wait: {
    command: 'wait',
    describe: 'Wait until peers are alive, and list them; status 4 when they are not in time',
    flags: {
      service: peerOptions.service,
      where: peerOptions.where,
      signed: peerOptions.signed,
      name: { ...listFlag, describe: 'Only peers of this name' },
      self: peerOptions.self,
      count: { ...textFlag, default: '1', describe: 'How many peers to wait for' },
      timeout: { ...textFlag, default: '30s', describe: 'How long to wait' },
    },
  },
  ping: {
    command: 'ping <peer>',
    describe: 'Measure the round trip to a peer',
    arguments: {
      peer: { type: 'string', demandOption: true, describe: 'Its name, or how its id begins' },
    },
    flags: {
      count: { ...textFlag, alias: 'c', describe: 'End after so many probes' },
      interval: {
        ...textFlag,
        alias: 'i',
        describe: "Time between probes, at least the peer's beacon interval",
        defaultDescription: '1s',
      },
    },
  },
  status: {
    command: 'status',
    describe: 'This daemon: identity, interfaces, counters, limits',
  },
} as const satisfies Record<string, CommandLine>

export type CommandName = keyof typeof COMMANDS

/** The command that writes a completion script. */
export const COMPLETION = {
  command: 'completion',
  describe: 'Shell completion: eval "$(earshot completion)" in ~/.bashrc or ~/.zshrc',
} as const satisfies CommandLine

import { type Static, Type } from 'typebox'
import { AttributesSchema, NameSchema } from '../../core/wire/record-schema.ts'
import { SERVICE_TYPE_CHARACTERS } from '../../shared/service-names.ts'
import { ServiceEntrySchema } from '../services/service-schema.ts'
import { DEFAULTS } from './defaults.ts'

/**
 * The schema of all settings, in the form in which people write them. The checks, and the flags with their help, are
 * made from it (`settings.prebuilt.ts`). In addition to the keywords of JSON Schema, a setting has
 * - `x-expected`: what an error message says after "expected";
 * - `placeholder`: what the help shows for a default that depends on the machine.
 */

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const
const LOG_FORMATS = ['auto', 'pretty', 'json'] as const

const patternList = (description: string, placeholder: string) =>
  Type.Array(Type.String({ minLength: 1, 'x-expected': 'an interface name or pattern such as eth* or wlan0' }), {
    description,
    placeholder,
    'x-expected': 'a list of interface names or patterns such as ["eth*", "wlan0"]',
  })
const path = (description: string, placeholder: string) =>
  Type.String({ minLength: 1, description, placeholder, 'x-expected': 'a path' })

/** The settings that can be given as a flag, in the environment, and in the file, with the same key everywhere. */
export const settings = {
  name: Type.Unsafe<string>({
    ...NameSchema,
    description: 'Name that others see, 1 to 63 characters',
    placeholder: 'short host name',
    'x-expected': 'a name of 1 to 63 characters without control characters',
  }),
  interface: patternList('Use only interfaces of these names or patterns', 'all not excluded'),
  exclude: patternList(
    'Leave out interfaces of these names or patterns',
    'lo, bridges and tunnels of containers and VPNs',
  ),
  port: Type.Integer({
    minimum: 1,
    maximum: 65_535,
    default: DEFAULTS.port,
    description: 'UDP port of the beacons, the same on every machine',
    'x-expected': 'a port from 1 to 65535',
  }),
  group4: Type.String({
    format: 'group4',
    default: DEFAULTS.group4,
    description: 'IPv4 multicast group',
    'x-expected': 'an IPv4 multicast address such as 239.255.153.53',
  }),
  group6: Type.String({
    format: 'group6',
    default: DEFAULTS.group6,
    description: 'IPv6 multicast group of link-local scope',
    'x-expected': 'an IPv6 multicast address of link-local scope such as ff12::153:53',
  }),
  interval: Type.String({
    allOf: [
      { format: 'duration', 'x-expected': 'a duration such as 500ms, 2s or 5m' },
      { format: 'interval', 'x-expected': 'a duration from 100ms to 1h' },
    ],
    default: DEFAULTS.interval,
    description: 'Time between beats, 100ms to 1h; the daemon increases it when the traffic would exceed the budget',
    'x-expected': 'a duration such as 500ms, 2s or 5m',
  }),
  budget: Type.Union([Type.String({ format: 'budget' }), Type.Integer({ minimum: 1000, maximum: 1_000_000_000 })], {
    default: DEFAULTS.budget,
    description: 'Limit for the traffic of all peers of a segment together, per second',
    'x-expected': 'a rate from 1kbit to 1gbit such as 256kbit, 1mbit or 256000 (bits per second)',
  }),
  'state-dir': path('Directory of the state: key, incarnation, registered services', '$XDG_STATE_HOME/earshot'),
  'services-dir': Type.Array(Type.String({ minLength: 1, 'x-expected': 'the path of a directory' }), {
    description: 'Directories of service files, *.toml and *.service',
    placeholder: '$XDG_CONFIG_HOME/earshot/services.d, /etc/earshot/services.d',
    'x-expected': 'a list of paths of directories such as ["/etc/earshot/services.d"]',
  }),
  socket: path('Unix socket of the control API', '$XDG_RUNTIME_DIR/earshot/control.sock'),
  http: Type.String({
    default: DEFAULTS.http,
    description: 'Loopback address of the control API over TCP, or off',
    'x-expected': 'a loopback address with a port such as 127.0.0.1:15353, or off',
  }),
  mdns: Type.Boolean({
    default: DEFAULTS.mdns,
    description:
      'Whether mDNS is used: other devices see this machine, and the daemon lists them; --no-mdns turns it off',
    'x-expected': 'true, false, or in the file a table [mdns] with browse',
  }),
  'mdns-browse': Type.Unsafe<string | string[]>({
    type: ['array', 'string'],
    items: {
      type: 'string',
      format: 'browsed',
      'x-expected': `a service type such as ipp, _ipp._tcp or osc/udp (${SERVICE_TYPE_CHARACTERS}), or * for all`,
    },
    pattern: '^\\*$',
    description:
      'Look for services of these types by mDNS, such as ipp or _ipp._tcp; * adds every type that a device mentions',
    placeholder: 'the common types',
    'x-expected': 'a list of service types such as ["ipp", "_ipp._tcp", "osc/udp"], or "*" for all',
  }),
  'log-level': Type.Enum([...LOG_LEVELS], {
    default: DEFAULTS['log-level'],
    description: `Lowest level that is logged: ${LOG_LEVELS.join(', ')}`,
    'x-expected': `one of ${LOG_LEVELS.join(', ')}`,
  }),
  'log-format': Type.Enum([...LOG_FORMATS], {
    default: DEFAULTS['log-format'],
    description: 'pretty, json, or auto: pretty on a terminal',
    'x-expected': `one of ${LOG_FORMATS.join(', ')}`,
  }),
}

/** The setting that can be given as a flag and in the environment only. */
export const configSetting = path('Config file', '$XDG_CONFIG_HOME/earshot/earshot.toml, /etc/earshot/earshot.toml')

/** The settings that can be given in the file only. */
export const tables = {
  attributes: Type.Unsafe<Static<typeof AttributesSchema>>({
    ...AttributesSchema,
    'x-expected': 'a table of texts (at most 1024 characters), numbers or booleans with ASCII keys',
  }),
  services: Type.Array(ServiceEntrySchema, {
    maxItems: 256,
    'x-expected': 'tables [[services]] with type and port, at most 256',
  }),
}
/** The values by key, in the form in which people write them. */
export type RawSettings = { [Key in keyof typeof settings]: Static<(typeof settings)[Key]> } & {
  [Key in keyof typeof tables]: Static<(typeof tables)[Key]>
}

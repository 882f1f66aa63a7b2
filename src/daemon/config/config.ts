import type { Attributes, Service } from '../../core/wire/record.ts'
import type { HttpAddress } from './http-address.ts'
import type { LOG_LEVELS } from './schema.ts'

/** The daemon's settings, checked and in the units that the program works with. Frozen, all the way down. */
export interface Config {
  /** The name that others see. */
  readonly name: string
  /** Patterns of interface names to use; none means every one that `exclude` does not name. */
  readonly interface: readonly string[]
  /** Patterns of interface names to leave out; undefined means the built-in list. */
  readonly exclude: readonly string[] | undefined
  /** UDP port of the beacons. */
  readonly port: number
  readonly group4: string
  readonly group6: string
  /** Time between beats, ms: 100 to 3600000. */
  readonly interval: number
  /** What all peers of a segment together may send, bits per second: 1000 to 1000000000. */
  readonly budget: number
  /** Directory of what lasts; made by whoever writes there first. */
  readonly stateDir: string
  /** Directories of service files, the first of more weight; they need not exist. */
  readonly servicesDir: readonly string[]
  /** Path of the control API's Unix socket. */
  readonly socket: string
  /** Where the control API listens on loopback; undefined when off. */
  readonly http: Readonly<HttpAddress> | undefined
  /** Whether mDNS is spoken, and the service types that are looked for: `_ipp._tcp`, or `*` for all that there are. */
  readonly mdns: false | { readonly browse: readonly string[] }
  readonly logLevel: (typeof LOG_LEVELS)[number]
  readonly logFormat: 'pretty' | 'json'
  /** The file that was read; undefined when there was none. */
  readonly file: string | undefined
  readonly attributes: Readonly<Attributes>
  readonly services: readonly Readonly<Service>[]
}

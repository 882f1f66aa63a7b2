import type { Attributes, Service } from '../../core/wire/index.ts'
import type { StateNotice } from '../../io/state-file.ts'

/** Who registered a service; only the same may change or withdraw it. */
export type ServiceSource = 'api' | 'file' | 'config'

/** A service of this peer. */
export interface OwnService extends Service {
  source: ServiceSource
  /** The file that it comes from; undefined for others. */
  file: string | undefined
  /** What the program calls itself that registered it over the API; undefined when it does not say, and for others. */
  owner?: string | undefined
  /** It was registered without a name, and bears the peer's, whatever that will be. */
  followsPeer?: boolean | undefined
  /** When it is withdrawn unless renewed, monotonic ms; undefined when it stays. */
  expiresAt: number | undefined
}

/** A service file that cannot be used, and why. */
export interface BadFile {
  file: string
  error: string
}

/** A service file as it was last read: what is in it, or why that cannot be said. */
export type ServiceFile = { file: string } & ({ services: readonly Service[] } | { error: string })

/** What was registered over the API and lasts: a service without a name bears the peer's. */
export interface Kept {
  services: (Omit<Service, 'name'> & { name?: string })[]
  attributes: Attributes
}

/** What a record tells of a peer's services and attributes. */
export interface Content {
  services: Service[]
  attributes: Attributes
}

/** What the log should say, once. */
export type CatalogueNotice =
  | { type: 'bad-file'; file: string; error: string }
  | { type: 'good-file'; file: string }
  | { type: 'expired'; id: string }
  | { type: 'left-out'; what: string; reason: string }
  | StateNotice

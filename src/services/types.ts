import type { Service } from '../wire/index.ts'

/** Who registered a service; only the same may change or withdraw it. */
export type ServiceSource = 'api' | 'file' | 'config'

/** A service of this peer. */
export interface OwnService extends Service {
  source: ServiceSource
  /** The file that it comes from; undefined for others. */
  file: string | undefined
  /** When it is withdrawn unless renewed, monotonic ms; undefined when it stays. */
  expiresAt: number | undefined
}

/** A service file that cannot be used, and why. */
export interface BadFile {
  file: string
  error: string
}
